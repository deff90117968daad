"""Manual mode's {tokens}."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.content.liquid import render_text
from notifications.content.tokens import translate_tokens


@pytest.mark.parametrize(
    ("_case", "source", "expected"),
    [
        ("plain", "Hi {first_name}!", "Hi {{ customer.first_name }}!"),
        ("fallback", "Hi {name|there}", 'Hi {{ customer.name | default: "there" }}'),
        (
            "spaced fallback",
            "Hi {name | my friend }",
            'Hi {{ customer.name | default: "my friend" }}',
        ),
        ("apostrophe", "{x|it's}", '{{ customer.x | default: "it\'s" }}'),
        ("quote", '{x|"you"}', "{{ customer.x | default: '\"you\"' }}"),
        ("a root of its own", "{event.item}", "{{ event.item }}"),
        ("a root alone is a trait", "{event}", "{{ customer.event }}"),
        ("a nested trait", "{address.city}", "{{ customer.address.city }}"),
        ("two in a row", "{a}{b}", "{{ customer.a }}{{ customer.b }}"),
        ("liquid stays", "{{ customer.a }}{% if x %}", None),
        ("liquid with a token inside", "{{ '{a}' }}", None),
        ("raw stays", "{% raw %}{a}{% endraw %}", None),
        ("json stays", '{"a": 1} { b } {} {1}', None),
        ("a style stays", "a{color:red}", None),
        ("shell stays", "${HOME}", None),
        ("no braces", "Hello", None),
        ("open brace", "{a", None),
    ],
)
def test_tokens_become_liquid_and_the_rest_stays(
    _case: str, source: str, expected: str | None
) -> None:
    assert translate_tokens(source) == (source if expected is None else expected)


@settings(deadline=None)
@given(st.text(st.sampled_from(list("{}|%$ab.'\" \n_1"))))
def test_translating_twice_changes_nothing(source: str) -> None:
    once = translate_tokens(source)

    assert translate_tokens(once) == once


@pytest.mark.parametrize("fallback", ["there", "it's", '"you"', 'it\'s "you"'])
def test_a_fallback_is_printed_as_written(fallback: str) -> None:
    source = translate_tokens(f"{{name|{fallback}}}")

    assert render_text(source, {"customer": {}}) == fallback
    assert render_text(source, {"customer": {"name": "Ada"}}) == "Ada"
