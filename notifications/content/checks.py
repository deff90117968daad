"""The list a message is checked against before launch: errors block, warnings ask."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from notifications.content import links, text
from notifications.content.errors import RenderAborted, RenderError
from notifications.content.liquid import check_template
from notifications.content.locales import choose_locale, normalize_locale
from notifications.content.render import (
    DEFAULT_LIMITS,
    DEFAULT_LINK_RULES,
    MAX_BUTTONS,
    LinkRules,
    PushContent,
    PushLimits,
    is_reserved_key,
    render_push,
)
from notifications.content.risks import find_unguarded_values

# What a closed notification shows, in letters, on a phone of ordinary width: about one
# line of title everywhere, four lines of body on iOS, one on Android.
PREVIEW_CUTS = {
    "ios": {"title": 50, "body": 178},
    "android": {"title": 45, "body": 49},
}
PLATFORM_NAMES = {"ios": "iPhone", "android": "Android"}

# A trait that all but this share have is still missing for somebody.
FULL_COVERAGE = 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list."""

    level: Literal["error", "warning"]
    code: str
    message: str
    path: str = ""
    line: int | None = None


def check_push(
    content: PushContent,
    *,
    coverage: Mapping[str, float] | None = None,
    samples: Collection[Mapping[str, object]] = (),
    rules: LinkRules = DEFAULT_LINK_RULES,
    limits: PushLimits = DEFAULT_LIMITS,
) -> list[Check]:
    """Check one locale and variant.

    `coverage` maps a trait's name to the share (0–1) of the audience that has it; a
    trait that it does not name counts as missing for all. `samples` are contexts to
    render with: real contacts, the first ones of the audience.
    """
    found = [
        *_check_templates(content),
        *_check_shape(content),
        *_check_links(content, rules),
    ]
    if any(check.code.startswith("template_") for check in found):
        return found
    found += _check_fallbacks(content, coverage)
    told = {(check.path, check.message.partition(" ")[0]) for check in found}
    found += (
        check
        for check in _check_samples(content, samples, rules, limits)
        # That a sample lacks it is said already, with the share of all who do.
        if (check.path, check.message.partition(" ")[0]) not in told
        or check.code != "template_missing_value"
    )
    return found


def check_locales(
    available: Collection[str], *, wanted: Mapping[str, int], default: str
) -> list[Check]:
    """`wanted` counts the audience by locale; who would read the default is told."""
    if default not in available:
        message = f"The default language {default} has no text."
        return [Check("error", "missing_default_locale", message, "locales")]
    others: dict[str, list[tuple[str, int]]] = {}
    for locale, count in sorted(wanted.items(), key=lambda item: -item[1]):
        best = choose_locale(locale, available, default)
        if locale and _read_language(locale) != _read_language(best):
            others.setdefault(best, []).append((locale, count))
    return [_tell_missing(best, readers) for best, readers in others.items()]


def _tell_missing(best: str, readers: list[tuple[str, int]]) -> Check:
    total = sum(count for _, count in readers)
    named = ", ".join(f"{locale} {count:,}" for locale, count in readers)
    message = f"{total:,} contacts read another language and would get {best}: {named}."
    return Check("warning", "missing_locale", message, "locales")


def _read_language(locale: str) -> str:
    return normalize_locale(locale).partition("-")[0]


def list_sources(content: PushContent) -> Iterator[tuple[str, str]]:
    """Each field's path and Liquid source, empty ones left out."""
    fields = {
        "title": content.title,
        "body": content.body,
        "image_url": content.image_url,
        "link": content.link,
        "sound": content.sound,
        "channel_id": content.channel_id,
        "badge": content.badge,
    }
    for index, button in enumerate(content.buttons):
        fields[f"buttons.{index}.title"] = button.title
        fields[f"buttons.{index}.link"] = button.link
    fields |= {f"data.{key}": source for key, source in content.data.items()}
    return ((path, source) for path, source in fields.items() if source)


def _check_templates(content: PushContent) -> Iterator[Check]:
    for path, source in list_sources(content):
        for problem in check_template(source, path=path):
            yield Check("error", problem.code, problem.message, path, problem.line)


def _check_shape(content: PushContent) -> Iterator[Check]:
    if not content.title.strip():
        yield Check("warning", "no_title", "The message has no title.", "title")
    if not content.body.strip():
        yield Check("error", "no_body", "The message has no body.", "body")
    if len(content.buttons) > MAX_BUTTONS:
        message = f"At most {MAX_BUTTONS} buttons fit."
        yield Check("error", "too_many_buttons", message, "buttons")
    for index, button in enumerate(content.buttons):
        if not button.title.strip():
            path = f"buttons.{index}.title"
            yield Check("error", "no_button_title", "The button has no text.", path)
    for key in content.data:
        if is_reserved_key(key):
            message = f"The key {key} is reserved."
            yield Check("error", "reserved_key", message, f"data.{key}")


def _check_links(content: PushContent, rules: LinkRules) -> Iterator[Check]:
    if not content.link.strip():
        yield Check("warning", "no_link", "A tap only opens the app.", "link")
    for path, source in list_sources(content):
        if path == "link" or path.endswith(".link"):
            yield from _check_link_source(path, source, rules)
        elif path == "image_url":
            yield from _check_image_source(path, source, rules)


def _check_link_source(path: str, source: str, rules: LinkRules) -> Iterator[Check]:
    problem = links.check_link_template(source, path=path)
    if problem is None and not _is_template(source):
        problem = links.check_link(source, app_schemes=rules.app_schemes, path=path)
    if problem is not None:
        yield Check("error", problem.code, problem.message, path)
    elif links.is_home_screen(source):
        message = "The link opens a bare home screen: point it at what is promised."
        yield Check("warning", "home_screen_link", message, path)


def _check_image_source(path: str, source: str, rules: LinkRules) -> Iterator[Check]:
    problem = links.check_link_template(source, path=path)
    if problem is None and not _is_template(source):
        problem = links.check_image(
            source, allow_loopback=rules.allow_loopback_images, path=path
        )
    if problem is not None:
        yield Check("error", "image_refused", problem.message, path)


def _check_fallbacks(
    content: PushContent, coverage: Mapping[str, float] | None
) -> Iterator[Check]:
    for path, source in list_sources(content):
        for value in find_unguarded_values(source):
            root, _, rest = value.path.partition(".")
            if root != "customer" or not rest:
                continue
            name = rest.removeprefix("traits.").partition(".")[0]
            share = None if coverage is None else coverage.get(name, 0.0)
            if share is not None and share >= FULL_COVERAGE:
                continue
            message = f"{value.path} has no fallback: {_tell_lost(share)} get nothing."
            yield Check("warning", "no_fallback", message, path, value.line)


def _tell_lost(share: float | None) -> str:
    if share is None:
        return "some contacts will"
    return f"{1 - share:.1%} of contacts will" if share else "nobody has it, so all"


def _check_samples(
    content: PushContent,
    samples: Collection[Mapping[str, object]],
    rules: LinkRules,
    limits: PushLimits,
) -> Iterator[Check]:
    """One line for each kind of fault, however many samples show it."""
    seen: dict[tuple[str, str], Check] = {}
    # Without samples the plain text itself still has a length.
    for sample in samples or ({},):
        for check in _check_sample(content, sample, rules, limits):
            if samples or check.code not in ("template_missing_value", "aborted"):
                seen.setdefault((check.code, check.path), check)
    yield from seen.values()


def _check_sample(
    content: PushContent,
    sample: Mapping[str, object],
    rules: LinkRules,
    limits: PushLimits,
) -> Iterator[Check]:
    try:
        push = render_push(content, sample, limits=limits, rules=rules)
    except RenderAborted as error:
        yield Check("warning", "aborted", f"A sample is left out: {error.reason}.")
        return
    except RenderError as error:
        level: Literal["error", "warning"] = (
            "warning" if error.reason == "template_missing_value" else "error"
        )
        yield Check(level, error.reason, error.detail, error.path, error.line)
        return
    for path in push.truncated:
        limit = limits.title_graphemes if path == "title" else limits.body_graphemes
        message = f"Longer than {limit} characters: the end is cut."
        yield Check("warning", "truncated", message, path)
    yield from _check_previews({"title": push.title, "body": push.body})


def _check_previews(shown: Mapping[str, str]) -> Iterator[Check]:
    for platform, cuts in PREVIEW_CUTS.items():
        for path, cut in cuts.items():
            if text.count_graphemes(shown[path]) > cut:
                name = PLATFORM_NAMES[platform]
                message = f"On {name} only about {cut} characters show at first."
                yield Check("warning", f"{platform}_cut", message, path)


def _is_template(source: str) -> bool:
    return "{{" in source or "{%" in source


def has_errors(checks: Collection[Check]) -> bool:
    """Whether the launch is blocked."""
    return any(check.level == "error" for check in checks)
