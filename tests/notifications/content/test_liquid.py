"""Parsing, checking and rendering, with nothing leaking out or growing up."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import resource
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.content.errors import ContentError, RenderAborted, RenderError
from notifications.content.filters import ALLOWED_FILTERS
from notifications.content.liquid import (
    KNOWN_ROOTS,
    MAX_SOURCE_BYTES,
    check_template,
    parse_text,
    render_text,
)

CUSTOMER: dict[str, Any] = {
    "city": "Oslo",
    "nothing": None,
    "note": "",
    "space": "  ",
    "points": 5,
    "zero": 0,
    "vip": False,
    "tags": ["a", "b"],
    "address": {"city": "Bergen"},
}


def test_the_weather_message_is_byte_exact() -> None:
    customer = {
        "city": "Oslo",
        "preferred_category": "Outdoor",
        "preferred_color": "red",
        "current_weather": "light snow",
    }
    headline = "🌬️ Brrr, {{customer.city}}! Time for a Warm-Up?"
    body = (
        "Your recent views suggest you love our {{customer.preferred_category}} "
        "collection. We just dropped new {{customer.preferred_color}} sweaters "
        "perfect for today’s {{customer.current_weather}}."
    )

    assert render_text(headline, {"customer": customer}).encode() == (
        b"\xf0\x9f\x8c\xac\xef\xb8\x8f Brrr, Oslo! Time for a Warm-Up?"
    )
    assert render_text(body, {"customer": customer}).encode() == (
        b"Your recent views suggest you love our Outdoor collection. We just dropped "
        b"new red sweaters perfect for today\xe2\x80\x99s light snow."
    )


@pytest.mark.parametrize(
    ("source", "line", "name"),
    [
        ("{{ customer.gone }}", 1, "customer.gone"),
        ("Hi\nthere\n{{ customer.gone }}", 3, "customer.gone"),
        ("{{ customer.nothing }}", 1, "customer.nothing"),
        ("{{ customer.note }}", 1, "customer.note"),
        ("{{ customer.space }}", 1, "customer.space"),
        ("{{ customer.note | append: '!' }}", 1, "customer.note"),
        ("{{ customer.gone | plus: 1 }}", 1, "customer.gone"),
        ("{{ customer.gone | size }}", 1, "customer.gone"),
        ("{{ customer.gone | upcase }}", 1, "customer.gone"),
        ("{{ 'Hi ' | append: customer.gone }}", 1, "customer.gone"),
        ("{{ customer.gone.deeper }}", 1, "customer.gone.deeper"),
        ("{{ customer.tags[7] }}", 1, "customer.tags[7]"),
        ("{{ customer[customer.gone] }}", 1, "customer[customer.gone]"),
        ("{{ customer.size }}", 1, "customer.size"),
        ("{{ customer.first }}", 1, "customer.first"),
        ("{% assign x = customer.gone %}\n{{ x }}", 1, "customer.gone"),
        ("{% for x in customer.gone %}{% endfor %}", 1, "customer.gone"),
        ("{% echo customer.gone %}", 1, "customer.gone"),
        ("{{ gone | default: customer.gone }}", 1, "customer.gone"),
        ("{{ customer.city | remove: 'Oslo' }}", 1, "customer.city"),
        ("{{ env }}", 1, "env"),
        ("{{ today }}", 1, "today"),
    ],
)
def test_nothing_leaves_with_a_hole(source: str, line: int, name: str) -> None:
    with pytest.raises(RenderError) as caught:
        render_text(source, {"customer": CUSTOMER})

    assert caught.value.reason == "template_missing_value"
    assert name in caught.value.detail
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ customer.gone | default: 'friend' }}", "friend"),
        ("{{ customer.note | default: 'friend' | upcase }}", "FRIEND"),
        ("{{ customer.gone.deeper | default: 'friend' }}", "friend"),
        ("{{ customer.gone | default: '' }}!", "!"),
        ("{{ gone.deeper | default: 'x' }}", "x"),
        ("{% if customer.gone %}a{% else %}b{% endif %}", "b"),
        ("{% if customer.note %}a{% else %}b{% endif %}", "b"),
        ("{% unless customer.gone %}a{% endunless %}", "a"),
        ("{% if customer.gone == nil %}a{% endif %}", "a"),
        ("{% if customer.gone == blank %}a{% endif %}", "a"),
        ("{% if customer.note == blank %}a{% endif %}", "a"),
        ("{% if customer.note == '' %}a{% endif %}", "a"),
        ("{% if customer.gone != blank %}a{% else %}b{% endif %}", "b"),
        ("{% if customer.city != blank %}a{% endif %}", "a"),
        ("{% if customer.gone == 'Oslo' %}a{% else %}b{% endif %}", "b"),
        ("{% if customer.gone > 3 %}a{% else %}b{% endif %}", "b"),
        ("{% if customer.gone contains 'x' %}a{% else %}b{% endif %}", "b"),
        ("{% case customer.gone %}{% when 'x' %}a{% else %}b{% endcase %}", "b"),
        ("{{ customer.zero }} {{ customer.vip }}", "0 false"),
        ("{% assign glue = '' %}{{ glue }}{{ customer.city }}", "Oslo"),
        ("{% capture x %}{% endcapture %}[{{ x }}]", "[]"),
        ("{{ customer.address.city }}", "Bergen"),
        ("{{ customer['city'] }} {{ customer.tags[0] }}", "Oslo a"),
        ("{{ customer.tags.size }} {{ customer.tags.last }}", "2 b"),
        ("{{ customer.city.size }}", "4"),
        ("{% for t in customer.tags %}{{ forloop.index }}{{ t }}{% endfor %}", "1a2b"),
        ("{{ customer.city | slice: 0, 2 | downcase }}", "os"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{% comment %}{{ x }}{% endcomment %}a", "a"),
        ("plain } text { and %", "plain } text { and %"),
    ],
)
def test_templates_render(source: str, expected: str) -> None:
    assert render_text(source, {"customer": CUSTOMER}) == expected


def test_values_are_not_rendered_again() -> None:
    customer = {"name": "{{ customer.secret }}{% abort 'x' %}", "secret": "s3cret"}

    assert render_text("{{ customer.name }}", {"customer": customer}) == (
        "{{ customer.secret }}{% abort 'x' %}"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('{% abort "no stock" %}', "no stock"),
        ("{% abort_message('no stock') %}", "no stock"),
        ('{%- abort_message ( "it\'s" ) -%}', "it's"),
        ("{% abort %}", ""),
        ("{% abort_message() %}", ""),
        ("Hi {% if customer.gone == blank %}{% abort 'none' %}{% endif %}", "none"),
        ("{% if true %}\n{% abort 'quiet block' %}\n{% endif %}", "quiet block"),
    ],
)
def test_abort_stops_the_message_with_its_reason(source: str, reason: str) -> None:
    with pytest.raises(RenderAborted) as caught:
        render_text(source, {"customer": CUSTOMER})

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "source",
    [
        "{% abort reason %}",
        "{% abort 'a' 'b' %}",
        "{% abort 'a %}",
        "{% abort 'a'b' %}",
    ],
)
def test_abort_takes_a_literal_only(source: str) -> None:
    assert [problem.code for problem in check_template(source)] == ["template_syntax"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ customer.city }}", []),
        ("{% assign x = 1 %}{{ x }}", []),
        ("{% for x in event.items %}{{ x.name }}{{ forloop.last }}{% endfor %}", []),
        ("{{ customer.city", [("template_syntax", 1)]),
        ("a\n{% if x %}", [("template_syntax", 2)]),
        ("a\n\n{% endif %}", [("template_syntax", 3)]),
        ("{% include 'x' %}", [("template_syntax", 1)]),
        ("{% render 'x' %}", [("template_syntax", 1)]),
        ("{% liquid\nassign x = 1\n%}", [("template_syntax", 1)]),
        ("{% tablerow x in y %}{% endtablerow %}", [("template_syntax", 1)]),
        ("{% cycle 'a', 'b' %}", [("template_syntax", 1)]),
        ("{% raw %}", [("template_syntax", 1)]),
        ("a\n{{ customer.city | sparkle }}", [("unknown_filter", 2)]),
        ("{{ customer.city | safe }}", [("unknown_filter", 1)]),
        ("{{ customer.city | base64_decode }}", [("unknown_filter", 1)]),
        ("\n{{ user.city }}", [("unknown_variable", 2)]),
        ("{% if user.city %}{% endif %}", [("unknown_variable", 1)]),
        (
            "{{ user.city | sparkle }}",
            [("unknown_filter", 1), ("unknown_variable", 1)],
        ),
        ("é" * (MAX_SOURCE_BYTES // 2 + 1), [("template_syntax", None)]),
    ],
)
def test_faults_are_found_at_save(
    source: str, expected: list[tuple[str, int | None]]
) -> None:
    found = [(problem.code, problem.line) for problem in check_template(source)]

    assert found == expected


def test_a_tag_that_is_not_allowed_is_named() -> None:
    (problem,) = check_template("{% include 'secrets' %}", path="body")

    assert problem.message == "the tag include is not allowed"
    assert problem.path == "body"


INJECTIONS = [
    "{{ customer.__class__ }}",
    "{{ customer.__class__.__mro__ }}",
    "{{ customer['__class__'] }}",
    "{{ customer.keys }}",
    "{{ customer.items }}",
    "{{ customer.copy }}",
    "{{ customer.tags.append }}",
    "{{ customer.tags.__len__ }}",
    "{{ customer.city.__class__ }}",
    "{{ customer.city.format }}",
    "{{ customer.city.upper }}",
    "{{ customer.object }}",
    "{{ customer.object.secret }}",
    "{{ customer.object['secret'] }}",
    "{{ customer.object.__dict__ }}",
    "{{ customer.object | upcase }}",
    "{{ customer.object | append: '' }}",
    "{{ customer.object | join: '' }}",
    "{{ customer.object | map: 'secret' }}",
    "{{ customer.function }}",
    "{{ customer.function.__globals__ }}",
    "{{ customer }}",
    "{{ customer | upcase }}",
    "{{ customer | slice: 0, 999 }}",
    "{{ customer | append: 'x' }}",
    "{{ 'x' | append: customer }}",
    "{{ 'x' | replace: 'x', customer }}",
    "{{ customer | url_encode }}",
    "{{ customer | first }}",
    "{{ customer | json }}",
    "{{ now.__class__ }}",
    "{{ now.tzinfo }}",
    "{{ env }}",
    "{{ environment }}",
    "{{ settings.SECRET_KEY }}",
    "{{ request.user }}",
    "{{ self }}",
    "{{ self._TemplateReference__context }}",
    "{{ config.items() }}",
    "{{ ''.__class__ }}",
    "{{ [].__class__ }}",
    "{{ 7*7 }}",
    "${7*7}{{ 7 | __import__ }}",
    "{% include '/etc/passwd' %}",
    "{% render '/etc/passwd' %}",
    "{% extends 'x' %}",
    "{% import os %}",
    "{% load secrets %}",
    "{{ 'a' | upcase: context: 'x' }}",
    "{{ 'a' | escape: environment: 'x' }}",
    "{{ template }}",
    "{{ partial }}",
    "{{ forloop }}",
    "{{ forloop.parentloop }}",
    "{% for x in forloop %}{{ x }}{% endfor %}",
    "{% for x in (1..2) %}{{ forloop }}{% endfor %}",
    "{% for x in (1..2) %}{{ forloop.it }}{% endfor %}",
    "{% for x in (1..2) %}{{ forloop.step }}{% endfor %}",
    "{% for x in (1..2) %}{% for y in forloop %}{% endfor %}{% endfor %}{{ x }}",
]


class Leaky:
    """What must never be in a context, and does no harm if it is."""

    secret = "s3cret"

    def __str__(self) -> str:
        return "s3cret"


@pytest.mark.parametrize("source", INJECTIONS)
def test_injected_templates_reach_nothing(source: str) -> None:
    context = {
        "customer": CUSTOMER | {"object": Leaky(), "function": render_text},
        "now": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    }

    with pytest.raises(RenderError) as caught:
        render_text(source, context)

    assert "s3cret" not in str(caught.value)
    assert "Oslo" not in str(caught.value)


def _read_error(source: str, context: dict[str, Any]) -> str:
    try:
        render_text(source, context)
    except RenderError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", sorted(ALLOWED_FILTERS))
def test_errors_never_quote_a_value(name: str) -> None:
    customer = {"a": "s3cret", "b": ["s3cret", {"s3cret": "s3cret"}]}

    for left, right in itertools.product(("a", "b", "b[1]"), repeat=2):
        for source in (
            f"{{{{ customer.{left} | {name} }}}}",
            f"{{{{ customer.{left} | {name}: customer.{right} }}}}",
            f"{{{{ customer[customer.{left}] | {name}: customer.{right} }}}}",
            f"{{% for x in (1..customer.{left}) %}}{{{{ x }}}}{{% endfor %}}",
            f"{{% if customer.{left} > customer.{right} %}}x{{% endif %}}",
        ):
            assert "s3cret" not in _read_error(source, {"customer": customer})


BIG = "a" * 20_000
GREEDY: dict[str, Any] = {
    "big": BIG,
    "angles": "<" * 19_000,
    "list": [{"k": number, "s": "s" * 100} for number in range(1_000)],
    "tags": ["x"] * 1_000,
    "many": list(range(1_001)),
    "huge": 1e300,
}
LOOP = "{% for a in (1..1000) %}"
BOMBS = {
    "range join": "{{ (1..1000000000) | join: '' }}",
    "range sort": "{{ (1..1000000000) | sort }}",
    "range reversed": "{% for i in (1..1000000000) reversed %}{{ i }}{% endfor %}",
    "range offset": "{% for i in (1..1000000000) offset: 999999999 %}{% endfor %}",
    "range contains": "{% if (1..1000000000) contains 'x' %}{% endif %}",
    "range by value": "{% assign n = 1000000000 %}{{ (1..n) | reverse | size }}",
    "range of a list": "{% for i in customer.many %}{% endfor %}",
    "replace chain": "{{ 'aaaaaaaaaa'" + " | replace: 'a', 'aaaaaaaaaa'" * 12 + " }}",
    "replace nothing": "{{ customer.big | replace: '', customer.big }}",
    "replace all": "{{ customer.big | replace: 'a', customer.big }}",
    "append": "{% assign x = 'aaaaaaaa' %}" + "{% assign x = x | append: x %}" * 60,
    "prepend": "{% assign x = 'aaaaaaaa' %}" + "{% assign x = x | prepend: x %}" * 60,
    "capture": "{% assign x = 'aaaaaaaa' %}"
    + "{% capture x %}{{ x }}{{ x }}{% endcapture %}" * 60,
    "times": "{{ 999999999999" + " | times: 999999999999" * 60 + " }}",
    "digits": "{{ " + "9" * 1_900 + " | times: 2 }}",
    "float": "{{ customer.huge | times: customer.huge }}",
    "modulo": "{{ customer.huge | modulo: 0.1 }}",
    "concat": "{% assign x = customer.tags %}" + "{% assign x = x | concat: x %}" * 20,
    "split": "{{ customer.big | split: '' | join: customer.big }}",
    "join": "{{ customer.tags | join: customer.big }}",
    "sort and map": "{{ customer.list | sort: 's' | map: 's' | join }}",
    "nested loops": f"{LOOP}{LOOP}{LOOP}{'{% endfor %}' * 3}",
    "loops in a row": f"{LOOP}{{% endfor %}}" * 400,
    "uniq in a loop": f"{LOOP}{{% assign x = customer.list | uniq %}}{{% endfor %}}",
    "sum in a loop": f"{LOOP}{{{{ customer.list | sum: 'k' }}}}{{% endfor %}}",
    "wide loop": LOOP + "{% if 1 %}{% endif %}" * 900 + "{% endfor %}",
    "wide case": LOOP
    + "{% case customer.big %}{% when "
    + ",".join(["'x'"] * 450)
    + " %}{% endcase %}{% endfor %}",
    "silent prints": "{% assign e = '' %}" + LOOP + "{{ e }}" * 2_000 + "{% endfor %}",
    "output": f"{LOOP}{{{{ customer.big }}}}{{% endfor %}}",
    "increment": f"{LOOP}{{% increment x %}}{{% endfor %}}" * 10,
    "locals": "".join(f"{{% assign x{n} = customer.big %}}" for n in range(400)),
    "escape": "{{ customer.angles | escape }}",
    "date width": "{{ 'now' | date: '%99999999d' }}",
    "date text": "{{ customer.big | date: '%Y' }}",
    "slice": "{{ 'a' | slice: 0, 99999999999999999999 }}",
    "open output": "{{" * 9_999,
    "open tag": "{%" * 9_999,
    "wide space": "{{" + " " * 19_000 + "}}",
    "deep path": "{{ " + "a[" * 600 + "'b'" + "]" * 600 + " }}",
    "deep blocks": "{% if 1 %}" * 200 + "{% endif %}" * 200,
    "long condition": "{% if " + "a and " * 300 + "a %}x{% endif %}",
    "long source": "a" * 20_481,
}
# A bomb that goes off takes seconds or gigabytes; a slow machine takes neither.
FAST_S = 2.0
SMALL_KB = 50 * 1_024


@pytest.fixture
def bounded() -> Iterator[None]:
    memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started_s = time.process_time()
    yield
    assert time.process_time() - started_s < FAST_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kb < SMALL_KB


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("source", BOMBS.values(), ids=BOMBS)
def test_template_bombs_fail_fast_and_small(source: str) -> None:
    check_template(source)

    with pytest.raises(RenderError) as caught:
        render_text(source, {"customer": GREEDY})

    assert caught.value.reason == "template_error"


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    "source",
    [
        "{{ customer.angles | strip_html }}",
        "{{ customer.big | url_encode | downcase }}",
        "{{ 1.5 | round: 999999999999 }}",
        "{{ 'a' | truncate: 99999999999 }}",
        "{% if customer.list contains customer.big %}{% else %}x{% endif %}",
        "{% for i in (1..1000) %}{{ i }}{% endfor %}",
    ],
)
def test_large_but_honest_templates_render(source: str) -> None:
    assert render_text(source, {"customer": GREEDY})


@settings(deadline=None)
@given(st.text(st.sampled_from(list("{}%|'\"[]().,:= \nabfor1-customer.if"))))
def test_no_source_crashes(source: str) -> None:
    context = {"customer": CUSTOMER}

    check_template(source)
    with contextlib.suppress(ContentError):
        render_text(source, context)


def test_equal_sources_are_parsed_once() -> None:
    source = "Hi {{ customer.city }}, once"

    assert parse_text(source) is parse_text(source)


def test_every_root_of_the_context_is_known() -> None:
    assert "customer" in KNOWN_ROOTS
    assert check_template(" ".join(f"{{{{ {root}.x }}}}" for root in KNOWN_ROOTS)) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("https://a.no/?q={{ customer.q }}", "https://a.no/?q=a%26b%3D1%23x%3F"),
        ("https://a.no/{{ customer.path }}", "https://a.no/shoes/red"),
        ("{{ customer.url }}", "https://b.no/?x=1&y=2"),
        ("{{ customer.url }}&q={{ customer.q }}", None),
        ("https://a.no/{{ customer.q | url_encode }}", "https://a.no/a%26b%3D1%23x%3F"),
        ("https://a.no/{{ customer.at }}", "https://a.no/%40evil.example"),
    ],
)
def test_values_in_links_are_encoded(source: str, expected: str | None) -> None:
    customer = {
        "q": "a&b=1#x?",
        "path": "shoes/red",
        "url": "https://b.no/?x=1&y=2",
        "at": "@evil.example",
    }
    rendered = render_text(source, {"customer": customer}, is_url=True)

    assert rendered == (expected or "https://b.no/?x=1&y=2&q=a%26b%3D1%23x%3F")


@pytest.mark.parametrize(
    "source",
    [
        "https://a.no{{ customer.tail }}",
        "https://{{ customer.tail }}",
        "{% if true %}https://a.no{% endif %}{{ customer.tail }}",
        "{{ customer.start }}{{ customer.tail }}",
        "{% capture x %}.evil.example{% endcapture %}https://a.no{{ x }}",
    ],
)
def test_a_value_may_not_complete_a_host(source: str) -> None:
    customer = {"tail": ".evil.example", "start": "https://a.no"}

    with pytest.raises(RenderError) as caught:
        render_text(source, {"customer": customer}, is_url=True)

    assert caught.value.reason == "link_refused"
