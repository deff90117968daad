"""The list before launch."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.content.checks import (
    Check,
    check_locales,
    check_push,
    has_errors,
    list_sources,
)
from notifications.content.render import Button, LinkRules, PushContent

RULES = LinkRules(app_schemes=("myapp",))
GOOD = PushContent(
    title="Hi {{ customer.first_name | default: 'there' }}",
    body="Your boots are back",
    link="myapp://products/7",
    image_url="https://cdn.example/7.png",
)


def test_a_good_message_has_nothing_to_say() -> None:
    assert check_push(GOOD, rules=RULES, samples=[{"customer": {}}]) == []


def make_good(**changes: Any) -> PushContent:
    fields = {name: getattr(GOOD, name) for name in PushContent.__slots__}
    return PushContent(**(fields | changes))


@pytest.mark.parametrize(
    ("_case", "changes", "expected"),
    [
        ("syntax", {"body": "a\n{{ x"}, ("error", "template_syntax", "body")),
        ("filter", {"body": "{{ now | nope }}"}, ("error", "unknown_filter", "body")),
        ("root", {"body": "{{ user.x }}"}, ("error", "unknown_variable", "body")),
        ("no body", {"body": " "}, ("error", "no_body", "body")),
        ("no title", {"title": ""}, ("warning", "no_title", "title")),
        ("no link", {"link": ""}, ("warning", "no_link", "link")),
        ("scheme", {"link": "other://x"}, ("error", "link_refused", "link")),
        ("host", {"link": "https://{{ now }}"}, ("error", "link_refused", "link")),
        ("home", {"link": "myapp://home"}, ("warning", "home_screen_link", "link")),
        (
            "image",
            {"image_url": "http://a.no/x"},
            ("error", "image_refused", "image_url"),
        ),
        (
            "button link",
            {"buttons": (Button("Go", "javascript:x"),)},
            ("error", "link_refused", "buttons.0.link"),
        ),
        (
            "button text",
            {"buttons": (Button(" ", "myapp://x"),)},
            ("error", "no_button_title", "buttons.0.title"),
        ),
        (
            "reserved",
            {"data": {"gcm": "x"}},
            ("error", "reserved_key", "data.gcm"),
        ),
        ("long title", {"title": "x" * 66}, ("warning", "truncated", "title")),
        ("long body", {"body": "x" * 241}, ("warning", "truncated", "body")),
        ("ios line", {"title": "x" * 51}, ("warning", "ios_cut", "title")),
        ("android line", {"title": "x" * 46}, ("warning", "android_cut", "title")),
        ("heavy", {"data": {"a": "x" * 4_000}}, ("error", "too_long", "")),
    ],
)
def test_faults_are_listed(
    _case: str, changes: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    found = check_push(make_good(**changes), rules=RULES)

    assert expected in [(check.level, check.code, check.path) for check in found]
    assert has_errors(found) is (expected[0] == "error")


def test_the_line_of_a_fault_is_told() -> None:
    (check,) = check_push(make_good(body="a\n\n{{ x"), rules=RULES)

    assert (check.line, check.message) == (3, "'}}' is missing")


def test_too_many_buttons_block() -> None:
    buttons = (Button("Go", "myapp://x"),) * 4

    found = check_push(make_good(buttons=buttons), rules=RULES)

    assert ("error", "too_many_buttons") in [(c.level, c.code) for c in found]


@pytest.mark.parametrize(
    ("_case", "coverage", "expected"),
    [
        ("all have it", {"city": 1.0}, None),
        ("most have it", {"city": 0.875}, "12.5% of contacts will"),
        ("nobody knows", {}, "nobody has it, so all"),
        ("not measured", None, "some contacts will"),
    ],
)
def test_tokens_without_fallback_say_who_gets_nothing(
    _case: str, coverage: dict[str, float] | None, expected: str | None
) -> None:
    content = make_good(body="In\n{{ customer.city }} now")

    found = check_push(content, coverage=coverage, rules=RULES)

    message = f"customer.city has no fallback: {expected} get nothing."
    line = Check("warning", "no_fallback", message, "body", 2)
    assert found == ([line] if expected else [])


def test_samples_show_what_only_values_can() -> None:
    content = make_good(
        body="{{ customer.note }}", link="{{ event.url }}", title="Hello"
    )
    samples = [
        {"customer": {"note": "x" * 300}, "event": {"url": "myapp://a"}},
        {"customer": {"note": "short"}, "event": {"url": "http://evil.example"}},
        {"customer": {}, "event": {"url": "myapp://a"}},
        {"customer": {}, "event": {"url": "myapp://a"}},
    ]

    found = check_push(content, coverage={"note": 1.0}, samples=samples, rules=RULES)

    assert sorted((c.level, c.code, c.path) for c in found) == [
        ("error", "link_refused", "link"),
        ("warning", "android_cut", "body"),
        ("warning", "ios_cut", "body"),
        ("warning", "template_missing_value", "body"),
        ("warning", "truncated", "body"),
    ]


def test_a_value_that_samples_lack_is_told_once_with_its_share() -> None:
    content = make_good(body="{{ customer.note }} {{ event.url }}")
    samples: list[dict[str, object]] = [{"customer": {"note": "a"}}, {"customer": {}}]

    found = check_push(content, coverage={"note": 0.5}, samples=samples, rules=RULES)

    assert [(c.code, c.message.partition(" ")[0]) for c in found] == [
        ("no_fallback", "customer.note"),
        ("template_missing_value", "event.url"),
    ]


def test_a_template_that_leaves_samples_out_says_so() -> None:
    content = make_good(body="{% abort 'sold out' %}")

    found = check_push(content, samples=[{}], rules=RULES)

    assert [(c.level, c.code) for c in found] == [("warning", "aborted")]


def test_languages_nobody_wrote_are_told() -> None:
    found = check_locales(
        {"en", "pt-BR"},
        wanted={"pt": 5, "de-AT": 1_200, "en-GB": 7, "fr": 3, "": 9},
        default="en",
    )

    assert [(c.level, c.code, c.message) for c in found] == [
        (
            "warning",
            "missing_locale",
            "1,203 contacts read another language and would get en: de-AT 1,200, fr 3.",
        ),
    ]


def test_the_default_language_must_be_written() -> None:
    found = check_locales({"de"}, wanted={"de": 1}, default="en")

    assert [(c.level, c.code) for c in found] == [("error", "missing_default_locale")]


def test_every_source_of_a_message_is_listed() -> None:
    content = make_good(
        sound="a",
        badge="1",
        channel_id="c",
        buttons=(Button("t", "l"),),
        data={"k": "v"},
    )

    assert [path for path, _ in list_sources(content)] == [
        "title",
        "body",
        "image_url",
        "link",
        "sound",
        "channel_id",
        "badge",
        "buttons.0.title",
        "buttons.0.link",
        "data.k",
    ]
