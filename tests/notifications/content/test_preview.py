"""Previews of unsaved templates, in a child process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from notifications.content import preview
from notifications.content.context import build_context
from notifications.content.errors import Problem
from notifications.content.preview import preview_push
from notifications.content.render import (
    Button,
    LinkRules,
    PushContent,
    RenderedPush,
    render_push,
)

NOW = dt.datetime(2026, 1, 15, 23, 30, tzinfo=dt.UTC)


def load_item(slug: str, code: str) -> Mapping[str, Any] | None:
    return (
        None if code == "gone" else {"name": f"Boot {code}", "price": Decimal("9.50")}
    )


def make_context() -> dict[str, Any]:
    return build_context(
        customer={
            "first_name": "Ada",
            "timezone": "Asia/Tokyo",
            "traits": {"born": dt.date(1990, 5, 1), "$datetime": "odd", "tags": ["a"]},
        },
        now=NOW,
        event={"name": "Viewed", "properties": {"product_id": "7"}},
        items=load_item,
        brand={"name": "Alpine"},
    )


def test_a_preview_is_what_would_be_sent() -> None:
    content = PushContent(
        title="{{ customer.first_name }} {{ now | date: '%H:%M' }} 🌬️",
        body="{{ product.name }} {{ item.price }} {{ catalog.products['8'].name }} "
        "{{ catalog.products['gone'].name | default: '-' }} "
        "{{ customer.born | date: '%Y' }} {{ customer.tags | join }}",
        link="myapp://p/{{ event.product_id }}",
        buttons=(Button("Go", "https://a.no/"),),
        data={"k": "{{ brand.name }}"},
    )
    rules = LinkRules(utm={"utm_source": "push"}, app_schemes=("myapp",))

    found = preview_push(content, make_context(), rules=rules)

    assert isinstance(found, RenderedPush)
    assert found.body == "Boot 7 9.50 Boot 8 - 1990 a"
    assert found == render_push(content, make_context(), rules=rules)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            PushContent(title="a", body="x\n{{ customer.gone }}"),
            Problem("template_missing_value", "customer.gone is missing", "body", 2),
        ),
        (
            PushContent(body="{{"),
            Problem("template_error", "'}}' is missing", "body", 1),
        ),
        (
            PushContent(body="{% abort 'sold out' %}"),
            Problem("aborted", "Left out by the template: sold out"),
        ),
        (
            PushContent(body="{{ (1..1000000000) | join }}"),
            Problem("template_error", "a range of more than 1,000 numbers", "body", 1),
        ),
    ],
)
def test_faults_come_back_as_problems(content: PushContent, expected: Problem) -> None:
    assert preview_push(content, make_context()) == expected


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "x = 'a' * 10**9",
        "import os; os._exit(1)",
        "print('x' * 10**6)",
        "print('{', end='', flush=True); import time; time.sleep(60)",
    ],
    ids=["processor", "memory", "death", "flood", "half a line"],
)
def test_a_child_that_goes_wrong_is_ended(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The dialect's own limits are strong, so a bad child has to be played.
    play = (
        "import sys; from notifications.content import preview_child as child\n"
        "child._say({'ready': True}); sys.stdin.readline(); child._limit_process()\n"
    )
    monkeypatch.setattr(
        preview, "_COMMAND", [preview.sys.executable, "-c", play + code]
    )

    found = preview_push(PushContent(body="x"), make_context())

    assert found == Problem(
        "template_error", "The template needs too much time or memory."
    )


def test_the_child_gets_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "s3cret")
    play = (
        "import json, os, sys; print('{}', flush=True); sys.stdin.readline()\n"
        "print(json.dumps({'problem': {'code': 'names', "
        "'message': ' '.join(sorted(os.environ))}}), flush=True)"
    )
    monkeypatch.setattr(preview, "_COMMAND", [preview.sys.executable, "-c", play])

    found = preview_push(PushContent(body="x"), make_context())

    assert isinstance(found, Problem)
    assert set(found.message.split()) <= {
        "PATH",
        "PYTHONPATH",
        "PYTHONUTF8",
        "LC_CTYPE",
    }
