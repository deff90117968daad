"""Links: which may leave in a message, and how a campaign marks them.

URLs are cut and joined as strings, never parsed and rebuilt, so that what the author
wrote arrives byte by byte.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import quote, unquote_plus, urlsplit

from notifications.content.errors import Problem

UTM_ORDER = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")

MAX_URL_CHARS = 2_000

# Never allowed, even where somebody registers them as an app's scheme.
DANGEROUS_SCHEMES = frozenset(
    {
        "about",
        "blob",
        "cid",
        "chrome",
        "content",
        "data",
        "file",
        "filesystem",
        "ftp",
        "http",
        "intent",
        "jar",
        "javascript",
        "mhtml",
        "ms-msdt",
        "resource",
        "shell",
        "tel-exec",
        "vbscript",
        "view-source",
        "ws",
        "wss",
        "android-app",
    }
)

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# Space, controls, direction marks, surrogates, and the backslash that browsers read
# as a slash.
_BAD_CHARS = re.compile(
    "[\\s\\\\\x00-\x20\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    '\ud800-\udfff\ufeff\ufff0-\uffff<>"`{}|^]'
)
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
# A host is whole once something that cannot be part of it follows. In an app's own
# scheme there is no host to protect.
_SETTLED_START = re.compile(
    r"\s*(?:https?://[^/?#\s]+[/?#]|(?!https?:)[a-z][a-z0-9+.-]*://)", re.IGNORECASE
)


def merge_utm(url: str, params: Mapping[str, str]) -> str:
    """Add the campaign's parameters that the link does not carry yet.

    Query, fragment and the author's own utm_ values survive; doing it twice changes
    nothing.
    """
    base, hash_mark, fragment = url.partition("#")
    path, question_mark, query = base.partition("?")
    present = {
        unquote_plus(part.partition("=")[0]).casefold() for part in query.split("&")
    }
    ordered = [key for key in UTM_ORDER if key in params]
    ordered += [key for key in params if key not in UTM_ORDER]
    added = [
        f"{quote(key, safe='')}={quote(params[key], safe='')}"
        for key in ordered
        if params[key] and key.casefold() not in present
    ]
    if not added:
        return url
    glue = "" if not query or query.endswith("&") else "&"
    return f"{path}?{query}{glue}{'&'.join(added)}{hash_mark}{fragment}"


def check_link(
    url: str, *, app_schemes: Collection[str] = (), path: str = "link"
) -> Problem | None:
    """None when the link may leave: https, or a registered app scheme."""
    shape = _check_shape(url)
    if shape is not None:
        return Problem("link_refused", shape, path)
    scheme = _read_scheme(url)
    if not scheme:
        return Problem("link_refused", "The link has no scheme, such as https.", path)
    allowed = {name.casefold() for name in app_schemes} - DANGEROUS_SCHEMES
    if scheme != "https" and scheme not in allowed:
        return Problem("link_refused", f"Links may not begin with {scheme}:.", path)
    fault = _check_authority(url, is_web=scheme == "https")
    return Problem("link_refused", fault, path) if fault else None


def check_image(
    url: str, *, allow_loopback: bool = False, path: str = "image_url"
) -> Problem | None:
    """None when the image may be shown: https; plain http on this machine only."""
    if allow_loopback and _read_scheme(url) == "http" and _check_shape(url) is None:
        authority = _AUTHORITY.match(url)
        if authority and "@" not in authority[1] and _read_host(url) in LOOPBACK_HOSTS:
            return None
    problem = check_link(url, path=path)
    if problem is None:
        return None
    return Problem("link_refused", f"Images must be https. {problem.message}", path)


def is_settled_start(url: str) -> bool:
    """Whether a value may follow: with half a host it would choose where a tap goes."""
    return _SETTLED_START.match(url) is not None


def check_link_template(source: str, *, path: str = "link") -> Problem | None:
    """What of `is_settled_start` can be known at save."""
    start = re.search(r"\{\{|\{%", source)
    literal = source[: start.start()] if start else ""
    # A link that is one value whole is checked when it is known.
    if not literal.strip() or is_settled_start(literal):
        return None
    return Problem("link_refused", "Write the host of the link out in full.", path)


def _check_shape(url: str) -> str | None:
    if not url:
        return "The link is empty."
    if len(url) > MAX_URL_CHARS:
        return f"The link is longer than {MAX_URL_CHARS:,} characters."
    if _BAD_CHARS.search(url):
        return "The link holds a space, control or other forbidden character."
    return None


def _read_scheme(url: str) -> str:
    match = _SCHEME.match(url)
    return match[1].casefold() if match else ""


def _read_host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _check_authority(url: str, *, is_web: bool) -> str | None:
    match = _AUTHORITY.match(url)
    if match is None:
        return "After the scheme a link needs two slashes."
    authority = match[1]
    if "@" in authority or "%40" in authority:
        return "The link may not carry a user name."
    if not is_web:
        return None
    try:
        split = urlsplit(url)
        host, port = split.hostname or "", split.port
    except ValueError:
        return "The host or port of the link is not valid."
    labels = host.removesuffix(".").split(".")
    if port == 0 or "%" in authority or not all(labels):
        return "The host or port of the link is not valid."
    return None


def is_home_screen(source: str) -> bool:
    """A link with no page of its own: `myapp://`, `myapp://home`, `https://shop.com/`."""
    authority = _AUTHORITY.match(source.strip())
    if authority is None:
        return False
    rest = source.strip()[authority.end() :].partition("#")[0].partition("?")[0]
    if rest.strip("/"):
        return False
    return _read_scheme(source) == "https" or authority[1].casefold() in ("", "home")
