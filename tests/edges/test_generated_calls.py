"""1,500 generated calls of the API and the public pages; 20,000 with `--full`.

Never a 5xx, never a traceback, errors in the one shape, and what was right in a
batch is kept. The cases are the same in each quick run; the long run draws new ones.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import openapi
from schemathesis.generation import GenerationMode

from crm import bell
from crm.api import auth
from crm.events.schema import KINDS
from crm.models import Event
from notifications.delivery.report_token import sign_report
from preferences.tokens import build_preference_url, build_unsubscribe_url
from tests.edges.world import World, make_world
from tests.factories import make_api_key

pytestmark = pytest.mark.django_db
# × 1 in every run, × 14 by `--full`: 1,500 and 20,000 in sum with the schema's.
LONG = 13
SIZES = [
    pytest.param(1, id="quick"),
    pytest.param(LONG, id="long", marks=pytest.mark.full),
]
# Of each operation in the schema and each way of drawing.
SCHEMA_CASES = 10
ERROR_KEYS = {"code", "path", "message", "detail"}
TRACES = ("Traceback", "psycopg", 'File "/')

# Texts that have broken something somewhere.
NASTY = st.sampled_from(
    [
        "\x00", "a\x00b", "\ud800", "x\udfff", "\u202egnp", "e" + "\u0301" * 500,
        "👩‍👩‍👧‍👦", "' OR 1=1 --", "{{ 7 | times: 7 }}", "{% raw %}", "<script>",
        "=1+1", "\r\nSet-Cookie: a=b", "%s%n%00", "../../etc", "a" * 300,
        "a" * 40_000, "", " ", "null", "NaN", "\ufeff", "__proto__", "$where",
    ]
)  # fmt: skip
TEXTS = st.one_of(NASTY, st.text(max_size=20))
NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([2**53 + 1, -(2**63), 10**400, 1e308, float("inf"), float("nan")]),
    st.floats(),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=12,
)
DEEP = st.integers(15, 3_000).map(
    lambda n: json.loads("[" * min(n, 900) + "]" * min(n, 900))
)
TIMES = st.one_of(
    st.sampled_from(
        [
            "0001-01-01", "9999-12-31T23:59:59+14:00", "2016-12-31T23:59:60Z",
            "2026-01-01T24:00:00Z", "tomorrow", "1970-01-01T00:00:00-23:59",
            "٢٠٢٦-٠١-٠١", "2026-W01-1", "20260101", "2100-12-31T23:59:59Z",
        ]
    ),
    st.datetimes().map(lambda moment: moment.isoformat()),
    LEAVES,
)  # fmt: skip
ANYTHING = st.one_of(VALUES, DEEP)
ITEM_KEYS = (
    "type", "userId", "anonymousId", "previousId", "groupId", "messageId", "event",
    "name", "properties", "traits", "context", "integrations", "writeKey",
)  # fmt: skip
# Half right, so that the fault is found late.
PLAIN_ITEM = st.fixed_dictionaries(
    {
        "type": st.sampled_from([*sorted(KINDS), "delete"]),
        "userId": st.one_of(st.just("ada"), TEXTS),
        "event": st.one_of(st.just("Order Completed"), TEXTS),
    },
    optional={
        "previousId": TEXTS,
        "groupId": TEXTS,
        "messageId": st.one_of(TEXTS, st.integers(0, 9).map(str)),
        "timestamp": TIMES,
        "properties": st.dictionaries(TEXTS, VALUES, max_size=5),
        "traits": st.dictionaries(
            st.one_of(
                st.sampled_from(["email", "phone", "timezone", "locale", "birthday"]),
                TEXTS,
            ),
            VALUES,
            max_size=5,
        ),
        "context": st.one_of(
            st.fixed_dictionaries(
                {
                    "device": st.dictionaries(
                        st.sampled_from(["token", "type", "id"]), LEAVES
                    )
                }
            ),
            VALUES,
        ),
    },
)
WILD_ITEM = st.dictionaries(st.sampled_from(ITEM_KEYS), ANYTHING, max_size=6)
ITEMS = st.one_of(PLAIN_ITEM, WILD_ITEM, ANYTHING)


def encode_loosely(value: Any) -> bytes:
    """JSON with everything a careless client puts in: NaN, halves of pairs."""
    return json.dumps(value).encode()


def bend_body(value: Any, how: str) -> bytes:
    """The same body as a broken client or proxy would send it."""
    body = encode_loosely(value)
    bent: dict[str, Callable[[], bytes]] = {
        "plain": lambda: body,
        "raw": lambda: json.dumps(value, ensure_ascii=False).encode(
            "utf-8", "surrogatepass"
        ),
        "gzip": lambda: gzip.compress(body, mtime=0),
        "cut gzip": lambda: gzip.compress(body, mtime=0)[:-3],
        "cut": lambda: body[: len(body) // 2],
        "latin": lambda: b'{"a": "\xe9"}' + body,
        "mark": lambda: b"\xef\xbb\xbf" + body,
        "wide": lambda: body.decode().encode("utf-16"),
        "twice": lambda: body + body,
        "bomb": lambda: gzip.compress(b" " * 2_000_000, mtime=0),
        "nothing": lambda: b"",
    }
    return bent[how]()


BENDS = st.sampled_from(
    ["plain"] * 8
    + ["raw", "gzip", "cut gzip", "cut", "latin", "mark", "wide", "twice"]
    + ["bomb", "nothing"]
)
LABELS = st.sampled_from(
    ["application/json", "application/json; charset=bogus", "text/plain", "", "x"]
)


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


def run_cases(
    strategy: st.SearchStrategy[Any], check: Callable[[Any], None], count: int
) -> None:
    """`count` cases; each undoes what it did."""

    def one(case: Any) -> None:
        with transaction.atomic():
            check(case)
            transaction.set_rollback(True)

    run = settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=count < 200,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )(given(strategy)(one))
    run()


def check_answer(answer: HttpResponse, what: Any = None) -> None:
    """2xx to 4xx; a refusal has the one shape; no inner word gets out."""
    note = repr(what)[:500]
    assert answer.status_code < 500, (answer.status_code, note)
    text = b"" if answer.streaming else answer.content
    assert not any(trace.encode() in text for trace in TRACES), note
    if answer.status_code < 400 or answer["Content-Type"] != "application/json":
        return
    body = json.loads(text)
    assert set(body) >= ERROR_KEYS, (body, note)
    assert isinstance(body["message"], str)
    assert body["message"]
    assert isinstance(body["path"], str)


def check_alive(client: Client) -> None:
    assert client.get("/healthz").status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


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
