"""1,500 generated calls of the API and the public pages; 20,000 with `--full`.

Never a 5xx, never a traceback, errors in the one shape, and what was right in a
batch is kept. The cases are the same in each quick run; the long run draws new ones.
"""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

import pytest
from django.http import HttpResponse
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import strategies as st
from schemathesis import openapi
from schemathesis.generation import GenerationMode

from crm import bell
from crm.api import auth
from crm.events.schema import KINDS
from crm.models import Event
from notifications.delivery.report_token import sign_report
from preferences.tokens import build_preference_url, build_unsubscribe_url
from tests.edges.bent import (
    ANYTHING,
    BENDS,
    ITEMS,
    LABELS,
    LEAVES,
    TEXTS,
    TIMES,
    VALUES,
    bend_body,
    encode_loosely,
)
from tests.edges.cases import SIZES, check_alive, check_answer, run_cases
from tests.edges.world import World, make_world
from tests.factories import make_api_key

pytestmark = pytest.mark.django_db
# Of each operation in the schema and each way of drawing.
SCHEMA_CASES = 10


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(bell.app, "send_task", lambda *_, **__: None)
    auth.forget_keys()
    return make_world()


@pytest.fixture
def caller(world: World) -> Client:
    """A client that may do everything, and does not raise what a server would log."""
    header = f"Bearer {make_api_key('admin')}"
    return Client(raise_request_exception=False, HTTP_AUTHORIZATION=header)


def post(client: Client, path: str, body: bytes, label: str) -> HttpResponse:
    return client.generic("POST", path, body, content_type=label)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("part", range(4))
def test_a_batch_of_anything_is_answered_item_by_item(
    size: int, part: int, caller: Client
) -> None:
    good = [
        {"type": "track", "userId": "ada", "event": "Seen", "messageId": f"good-{n}"}
        for n in range(2)
    ]

    def check(case: Any) -> None:
        items, how, label, shared = case
        batch = [good[0], *items, good[1]]
        body = {"batch": batch, **({} if shared is None else {"context": shared})}
        answer = post(caller, "/v1/batch", bend_body(body, how), label)
        check_answer(answer, case)
        if answer.status_code != 200:
            assert answer.status_code in (400, 413)
            assert not Event.objects.filter(message_id__startswith="good-").exists()
            return
        said = answer.json()
        faults = {row["index"] for row in said["rejected"]}
        assert said["accepted"] + said["duplicates"] + len(faults) == len(batch)
        assert faults <= set(range(1, len(batch) - 1)), said
        assert all(
            {"index", "path", "code", "message"} <= set(r) for r in said["rejected"]
        )
        kept = Event.objects.filter(message_id__startswith="good-")
        assert kept.count() == 2

    # Parts differ by the number of items, so that no two draw alike.
    items = st.lists(ITEMS, min_size=part, max_size=part + 2)
    shared = st.one_of(st.none(), st.none(), VALUES)
    run_cases(st.tuples(items, BENDS, LABELS, shared), check, 75 * size)
    check_alive(caller)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [*sorted(KINDS), "import"])
def test_a_single_call_of_anything_is_taken_or_refused(
    size: int, kind: str, caller: Client
) -> None:
    def check(case: Any) -> None:
        item, how, label = case
        answer = post(caller, f"/v1/{kind}", bend_body(item, how), label)
        check_answer(answer, case)
        assert answer.status_code in (200, 400, 413)

    run_cases(st.tuples(ITEMS, BENDS, LABELS), check, 40 * size)
    check_alive(caller)


@pytest.mark.parametrize("size", SIZES)
def test_a_header_of_anything_opens_nothing(size: int, world: World) -> None:
    stranger = Client(raise_request_exception=False)
    item = b'{"userId": "ada", "event": "Seen"}'
    header = st.one_of(
        st.text(st.characters(max_codepoint=255), max_size=60),
        st.binary(max_size=40).map(lambda raw: "Basic " + raw.hex()),
        st.sampled_from(["Basic", "Bearer ", "Basic ====", "Bearer " + "a" * 9_000]),
    )

    def check(value: str) -> None:
        for path in ("/v1/track", "/api/contacts/"):
            method = "POST" if path.startswith("/v1") else "GET"
            answer = stranger.generic(
                method, path, item, "application/json", HTTP_AUTHORIZATION=value
            )
            check_answer(answer, value)
            assert answer.status_code in (401, 403)

    run_cases(header, check, 60 * size)


@pytest.mark.parametrize("size", SIZES)
def test_a_device_may_report_anything(size: int, caller: Client, world: World) -> None:
    token = sign_report(world.delivery.pk)
    report = st.fixed_dictionaries(
        {
            "event": st.one_of(st.sampled_from(["opened", "clicked", "x"]), TEXTS),
            "client_id": st.one_of(st.just("c1"), LEAVES),
        },
        optional={
            "token": st.one_of(st.just(token), LEAVES),
            "at": TIMES,
            "button": LEAVES,
            "next": TEXTS,
        },
    )
    several = st.fixed_dictionaries(
        {"events": st.lists(report, max_size=4), "token": st.just(token)}
    )
    ids = st.one_of(
        st.just(str(world.delivery.pk)), st.uuids().map(str), st.sampled_from(BAD_IDS)
    )
    body = st.one_of(report, several, ANYTHING)

    def check(case: Any) -> None:
        delivery_id, value, how, label = case
        address = f"/v1/push/{quote(delivery_id, safe='', errors='replace')}/events"
        check_answer(post(caller, address, bend_body(value, how), label), case)

    run_cases(st.tuples(ids, body, BENDS, LABELS), check, 120 * size)
    check_alive(caller)


BAD_IDS = ["0", "9" * 24, "%00", "\x00", "../..", "é", "{}", "a" * 2_000, " "]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("start", ["/unsubscribe/", "/p/"])
def test_no_bent_link_opens_anything(size: int, start: str, world: World) -> None:
    stranger = Client(raise_request_exception=False)
    build = build_unsubscribe_url if start != "/p/" else build_preference_url
    link = build(world.contact, center=world.center, site_url="/")
    right = link.removeprefix(start)
    bent = st.tuples(st.integers(0, len(right) - 1), st.sampled_from("aZ0._-:"))
    token = st.one_of(
        TEXTS,
        bent.map(lambda where: right[: where[0]] + where[1] + right[where[0] + 1 :]),
        st.integers(0, len(right) - 1).map(lambda end: right[:end]),
    )

    def check(case: Any) -> None:
        said, method = case
        address = start + quote(said, safe="", errors="replace")
        answer = stranger.generic(method, address)
        check_answer(answer, case)
        assert said == right or answer.status_code in (400, 403, 404, 405, 429)

    run_cases(
        st.tuples(token, st.sampled_from(["GET", "POST", "HEAD"])), check, 60 * size
    )


def load_schema() -> Any:
    return openapi.from_dict(SchemaGenerator().get_schema(request=None, public=True))


OPERATIONS = sorted(
    f"{method.upper()} {path}"
    for path, methods in load_schema().raw_schema["paths"].items()
    for method in methods
    if path.startswith("/api/")
)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_call_that_the_schema_describes_or_forbids_breaks(
    operation: str, mode: GenerationMode, size: int, caller: Client, world: World
) -> None:
    method, _, path = operation.partition(" ")
    described = load_schema()[path][method]

    def check(case: Any) -> None:
        check_answer(send_case(caller, case, world), case)

    run_cases(described.as_strategy(generation_mode=mode), check, SCHEMA_CASES * size)


def send_case(client: Client, case: Any, world: World) -> HttpResponse:
    """One drawn call; now and then about rows that exist."""
    known = {
        "id": {
            "contacts": world.contact.uuid,
            "segments": world.segment.pk,
            "campaigns": world.campaign.pk,
            "deliveries": world.delivery.pk,
        }.get(case.path.split("/")[2], 1),
        "uuid": world.contact.uuid,
        "contact": world.contact.external_id,
        "code": "sku-1",
    }
    drawn = {name: str(value) for name, value in (case.path_parameters or {}).items()}
    is_known = isinstance(case.body, dict) or sum(map(len, drawn.values())) % 2 == 0
    path = case.path
    for name, value in drawn.items():
        said = str(known.get(name, value)) if is_known else value
        path = path.replace(f"{{{name}}}", quote(said, safe="", errors="replace"))
    query = "&".join(
        f"{quote(str(name), errors='replace')}={quote(str(value), errors='replace')}"
        for name, value in (case.query or {}).items()
    )
    body = b"" if not is_json(case.body) else encode_loosely(case.body)
    return client.generic(
        case.method, f"{path}?{query}", body, content_type="application/json"
    )


def is_json(value: Any) -> bool:
    return value is None or isinstance(value, dict | list | str | int | float | bool)


def test_ids_that_are_none_are_not_found(caller: Client) -> None:
    for kind in ("contacts", "segments", "campaigns", "deliveries", "products"):
        for said in (*BAD_IDS, str(uuid.uuid4())):
            address = f"/api/{kind}/{quote(said, safe='')}/"
            answer = caller.get(address)
            check_answer(answer, address)
            assert answer.status_code in (400, 404, 405), address
