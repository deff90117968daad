"""RSS and Atom: bytes → rows of a catalog. Pure.

A feed is a stranger's XML: no document type, no entities of its own, plain text only.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from crm.events.commerce import is_web_link

MAX_ENTRIES: Final = 500
MAX_CODE: Final = 100
MAX_SUMMARY: Final = 500
MAX_NAME: Final = 300
_TAG = re.compile(r"<[^>]{0,2000}>")
_SPACE = re.compile(r"\s+")


class NotAFeed(Exception):
    """What came is no feed that can be read; said in words for staff."""


def read_feed(body: bytes) -> list[dict[str, Any]]:
    """A row for each entry that has a title and something to be known by."""
    try:
        root = fromstring(body.lstrip(), forbid_dtd=True)
    except DefusedXmlException as error:
        raise NotAFeed("Its XML declares a document type, which is refused.") from error
    except (ParseError, LookupError, ValueError) as error:
        raise NotAFeed(f"Not XML: {str(error)[:200]}") from error
    if _name(root) not in ("rss", "RDF", "feed"):
        raise NotAFeed(f"Neither RSS nor Atom: it begins with <{_name(root)[:50]}>.")
    rows = (_read_entry(entry) for entry in _list_entries(root))
    return [row for row in rows if row is not None]


def _list_entries(root: Element) -> Iterator[Element]:
    found = (one for one in root.iter() if _name(one) in ("item", "entry"))
    return (one for one, _ in zip(found, range(MAX_ENTRIES), strict=False))


def _read_entry(entry: Element) -> dict[str, Any] | None:
    url = _find_link(entry)
    title = _find_text(entry, "title")
    known_by = _find_text(entry, "guid", "id") or url
    if not title or not known_by:
        return None
    categories = _list_categories(entry)
    row: dict[str, Any] = {
        "code": make_code(known_by),
        "name": title[:MAX_NAME],
        "url": url,
        "image_url": _find_picture(entry),
        "category": categories[0] if categories else "",
        "published_at": _find_time(entry),
        "attributes": {
            "summary": _find_text(entry, "description", "summary")[:MAX_SUMMARY],
            "author": _find_author(entry),
            "categories": categories,
        },
    }
    row["attributes"] = {k: v for k, v in row["attributes"].items() if v}
    return {name: value for name, value in row.items() if value not in ("", None)}


def make_code(known_by: str) -> str:
    """The entry's own id; the digest of one that is too long."""
    if len(known_by) <= MAX_CODE:
        return known_by
    return f"sha256:{hashlib.sha256(known_by.encode()).hexdigest()}"


def _name(element: Element) -> str:
    """Without its namespace: `{http://www.w3.org/2005/Atom}feed` is a feed."""
    return str(element.tag).rpartition("}")[2]


def _find_text(entry: Element, *names: str) -> str:
    for name in names:
        for child in entry:
            text = _read_plain(child) if _name(child) == name else ""
            if text:
                return text
    return ""


def _read_plain(element: Element) -> str:
    """Its text without markup, which may be escaped, or elements of XHTML."""
    text = html.unescape("".join(element.itertext()))
    return _SPACE.sub(" ", html.unescape(_TAG.sub(" ", text))).strip()


def _find_link(entry: Element) -> str:
    for child in entry:
        if _name(child) != "link" or child.get("rel", "alternate") != "alternate":
            continue
        link = (child.get("href") or child.text or "").strip()
        if is_web_link(link):
            return link
    return ""


def _find_picture(entry: Element) -> str:
    for one in entry.iter():
        name, kind = _name(one), one.get("type", "")
        is_picture = (
            (name == "thumbnail")
            or (name == "content" and one.get("medium") == "image")
            or (name == "image" and one.get("href") is not None)
            or (name in ("enclosure", "content", "link") and kind.startswith("image/"))
        )
        link = (one.get("url") or one.get("href") or "").strip()
        if is_picture and link.startswith("https://") and is_web_link(link):
            return link
    return ""


def _list_categories(entry: Element) -> list[str]:
    found: list[str] = []
    for child in entry:
        if _name(child) in ("category", "subject"):
            label = child.get("label") or child.get("term") or _read_plain(child)
            if label and label[:200] not in found:
                found.append(label[:200])
    return found[:20]


def _find_author(entry: Element) -> str:
    for child in entry:
        if _name(child) in ("author", "creator"):
            name = _find_text(child, "name") or _read_plain(child)
            if name:
                return name[:200]
    return ""


def _find_time(entry: Element) -> str | None:
    text = _find_text(entry, "pubDate", "published", "date", "updated")
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return aware.astimezone(UTC).isoformat()
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None
