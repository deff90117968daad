"""Generated calls of the foreign wires and of the admin's forms.

As in test_generated_calls: never a 5xx, errors in the wire's one shape; and the pages
that show what was taken in still open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from hypothesis import strategies as st

from crm import bell
from crm.api import auth
from crm.catalog.signature import sign_message
from crm.imports.run import run_imports
from crm.models import Catalog, Contact
from tests.edges.bent import (
    ANYTHING,
    BENDS,
    LABELS,
    LEAVES,
    NASTY,
    TEXTS,
    TIMES,
    VALUES,
    bend_body,
)
from tests.edges.cases import SIZES, TRACES, check_alive, check_answer, run_cases
from tests.edges.site import list_models, list_routes, name_list
from tests.edges.world import World, make_world
from tests.factories import make_api_key

pytestmark = pytest.mark.django_db
# A secret of Standard Webhooks: base64 behind its mark.
SECRET = "whsec_c2VjcmV0LW9mLXRoZS10ZXN0cy1vbmx5"
# Of each case that is taken in, as many leave a page that is opened.
SHOWN_EACH = 6


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(bell.app, "send_task", lambda *_, **__: None)
    auth.forget_keys()
    return make_world()


@pytest.fixture
def caller(world: World) -> Client:
    header = f"Bearer {make_api_key('admin')}"
    return Client(raise_request_exception=False, HTTP_AUTHORIZATION=header)


@pytest.fixture
def staff(world: World) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(world.staff, "django.contrib.auth.backends.ModelBackend")
    return client


def draw_object(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any of these keys, mostly with what they hold."""
    bent = {name: st.one_of(kept, kept, LEAVES) for name, kept in fields.items()}
    right = st.fixed_dictionaries({}, optional=bent)
    return st.one_of(right, right, ANYTHING)


TRAITS = st.dictionaries(
    st.one_of(st.sampled_from(["email", "phone", "unsubscribed", "created_at"]), TEXTS),
    VALUES,
    max_size=4,
)
CAPTURED = draw_object(
    event=st.one_of(st.sampled_from(["Seen", "$identify", "$groupidentify"]), TEXTS),
    distinct_id=st.one_of(st.just("ada"), TEXTS),
    uuid=st.uuids().map(str),
    timestamp=TIMES,
    api_key=st.just("x"),
    properties=draw_object(**{"$set": TRAITS, "$anon_distinct_id": TEXTS}),
)
DEVICE = draw_object(
    device=draw_object(id=TEXTS, platform=st.sampled_from(["ios", "android", "x"]))
)
TRACKED = draw_object(
    name=st.one_of(st.just("Seen"), TEXTS),
    id=TEXTS,
    type=TEXTS,
    timestamp=TIMES,
    data=TRAITS,
    anonymous_id=TEXTS,
)
PERSON = draw_object(id=TEXTS, email=TEXTS, cio_id=TEXTS)
ENTITY = draw_object(
    type=st.sampled_from(["person", "object", "delivery"]),
    identifiers=PERSON,
    action=st.sampled_from(
        ["identify", "delete", "event", "merge", "suppress", "add_device", "page"]
    ),
    name=TEXTS,
    attributes=TRAITS,
    primary=PERSON,
    secondary=PERSON,
    device=LEAVES,
    timestamp=TIMES,
)
SEND = draw_object(
    identifiers=PERSON,
    to=TEXTS,
    title=TEXTS,
    message=TEXTS,
    transactional_message_id=LEAVES,
    message_data=TRAITS,
)
METRIC = draw_object(
    delivery_id=TEXTS, metric=TEXTS, event=TEXTS, timestamp=TIMES, device_id=TEXTS
)
CUSTOMER = "/api/v1/customers/{}"
WIRES: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "posthog batch": ("POST /batch/", draw_object(batch=st.lists(CAPTURED))),
    "posthog capture": ("POST /capture/", CAPTURED),
    "posthog event": ("POST /i/v0/e/", CAPTURED),
    "identify": (f"PUT {CUSTOMER}", TRAITS | ANYTHING),
    "track": (f"POST {CUSTOMER}/events", TRACKED),
    "track anonymous": ("POST /api/v1/events", TRACKED),
    "device": (f"PUT {CUSTOMER}/devices", DEVICE),
    "no device": (f"DELETE {CUSTOMER}/devices/{{}}", ANYTHING),
    "suppress": (f"POST {CUSTOMER}/suppress", ANYTHING),
    "delete": (f"DELETE {CUSTOMER}", ANYTHING),
    "merge": (
        "POST /api/v1/merge_customers",
        draw_object(primary=PERSON, secondary=PERSON),
    ),
    "entity": ("POST /api/v2/entity", ENTITY),
    "entities": ("POST /api/v2/batch", draw_object(batch=st.lists(ENTITY))),
    "push event": ("POST /api/v1/push/events", METRIC),
    "metric": ("POST /api/v1/metrics", METRIC),
    "send": ("POST /v1/send/push", SEND),
    "send elsewhere": ("POST /v1/send/{}", SEND),
}
IDS = st.one_of(st.just("ada"), st.just("a/b"), TEXTS)


def encode_path(template: str, names: tuple[str, str]) -> str:
    said = [quote(name, safe="/", errors="replace") for name in names]
    return template.format(*said)


def check_page(staff: Client) -> None:
    """Of whoever came last."""
    contact = Contact.objects.canonical().filter(erased_at=None).latest("pk")
    page = staff.get(f"/admin/crm/contact/{contact.pk}/change/")
    assert page.status_code == 200, contact.traits


def check_refusal(answer: Any, case: Any) -> None:
    """Customer.io's clients read an error of their own shape."""
    said = answer.content
    assert answer.status_code < 500, (answer.status_code, repr(case)[:500])
    assert not any(trace.encode() in said for trace in TRACES), repr(case)[:500]
    if answer.status_code >= 400:
        body = json.loads(said)
        told = body.get("message") or body["meta"]["error"]
        assert isinstance(told, str)
        assert told


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("wire", WIRES)
def test_a_foreign_call_of_anything_is_taken_or_refused(
    wire: str, size: int, caller: Client, staff: Client
) -> None:
    called, bodies = WIRES[wire]
    method, _, template = called.partition(" ")
    count = iter(range(1_000_000))

    def check(case: Any) -> None:
        *names, value, how, label = case
        address = encode_path(template, (names[0], names[1]))
        answer = caller.generic(method, address, bend_body(value, how), label)
        check_refusal(answer, case)
        if answer.status_code == 200 and next(count) % SHOWN_EACH == 0:
            check_page(staff)

    run_cases(st.tuples(IDS, IDS, bodies, BENDS, LABELS), check, 20 * size)
    check_alive(caller)


@pytest.mark.parametrize("size", SIZES)
def test_a_signed_webhook_of_anything_is_taken_or_refused(
    size: int, caller: Client, staff: Client
) -> None:
    shelf = Catalog.objects.order_by("pk").last()
    assert shelf is not None
    Catalog.objects.filter(pk=shelf.pk).update(webhook_secret=SECRET)
    item = draw_object(code=TEXTS, id=TEXTS, name=TEXTS, price=LEAVES, url=TEXTS)
    told = st.one_of(
        draw_object(type=TEXTS, timestamp=TIMES, data=item),
        draw_object(items=st.lists(item), deleted=st.lists(TEXTS)),
    )

    def check(case: Any) -> None:
        value, how = case
        body, sent_s = bend_body(value, how), int(timezone.now().timestamp())
        signed = {
            "HTTP_WEBHOOK_ID": "m1",
            "HTTP_WEBHOOK_TIMESTAMP": str(sent_s),
            "HTTP_WEBHOOK_SIGNATURE": sign_message(SECRET, "m1", sent_s, body),
        }
        address = f"/v1/catalogs/{shelf.slug}/webhook"
        answer = caller.generic("POST", address, body, "application/json", **signed)
        check_answer(answer, case)
        # What is signed is the text, so that a packed one is not.
        assert answer.status_code in (200, 400, 401, 413), answer.content

    run_cases(st.tuples(told, BENDS), check, 40 * size)
    check_alive(caller)


CELLS = st.one_of(NASTY.filter(lambda text: len(text) < 1_000), st.text(max_size=20))
HEADS = st.sampled_from(["id", "email", "phone", "Plan", "code", "event", "price", ""])
DELIMITERS = st.sampled_from([",", ";", "\t"])


def write_file(heads: list[str], rows: list[list[str]], delimiter: str) -> bytes:
    """As a careless program would: quotes are doubled, or they are not."""
    lines = [delimiter.join(heads)]
    for number, row in enumerate(rows):
        cells = [text.replace('"', '""' if number % 2 else '"') for text in row]
        lines.append(delimiter.join(f'"{cell}"' for cell in cells))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("holds", ["contacts", "events", "items"])
def test_a_file_of_anything_is_read_row_by_row(
    holds: str, size: int, staff: Client
) -> None:
    def check(case: Any) -> None:
        content = write_file(*case)
        file = SimpleUploadedFile("people.csv", content)
        said = {"holds": holds, "file": file}
        answer = staff.post("/admin/crm/importjob/add/", said)
        assert answer.status_code in (200, 302), case
        if answer.status_code == 200:
            return
        page = answer["Location"]
        for deed in ("columns", "start"):
            staff.post(page.replace("change/", f"{deed}/"), read_form(staff, page))
            run_imports(budget_s=30)
            assert staff.get(page).status_code == 200, case
        check_page(staff)

    rows = st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=4)
    heads = st.lists(HEADS, min_size=1, max_size=4)
    run_cases(st.tuples(heads, rows, DELIMITERS), check, 6 * size)


class Fields(HTMLParser):
    """What a browser would send back of a page's forms."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, str] = {}
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        name = told.get("name", "")
        if tag == "input" and name and told.get("type") not in ("file", "submit"):
            self.said[name] = told.get("value", "")
        if tag in ("textarea", "select") and name:
            self._open = name
            self.said[name] = ""
        if tag == "option" and "selected" in told and self._open:
            self.said[self._open] = told.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("textarea", "select"):
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open and data.strip():
            self.said[self._open] = data.strip()


def read_form(client: Client, address: str) -> dict[str, str]:
    answer = client.get(address)
    fields = Fields()
    if answer.status_code == 200 and "html" in answer.get("Content-Type", ""):
        fields.feed(answer.content.decode())
    return fields.said


def list_forms() -> Iterator[str]:
    """Each page of the admin that may hold a form; none that logs people out."""
    for route in list_routes():
        leave = ("logout", "qrcode", "autocomplete", "jsi18n", "<url>")
        if route.template.startswith("/admin/") and not any(
            word in route.template for word in leave
        ):
            yield route.template


FORMS = sorted(set(list_forms()))
PARTS = 8


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_form_of_the_admin_breaks_on_what_is_typed(
    part: int, size: int, staff: Client, world: World
) -> None:
    rows = {name_list(model): model._default_manager.first() for model in list_models()}

    def find_row(template: str) -> str:
        found = [
            row for start, row in rows.items() if row and template.startswith(start)
        ]
        return quote(str(found[0].pk), safe="") if found else "1"

    for template in FORMS[part::PARTS]:
        address = re.sub(r"<[a-z_]+>", find_row(template), template)
        form = read_form(staff, address)
        names = [name for name in form if name != "csrfmiddlewaretoken"]

        def check(case: Any, address: str = address, form: Any = form) -> None:
            said = {**form, **case}
            answer = staff.post(address, said)
            assert answer.status_code < 500, (address, case)

        if names:
            typed = st.dictionaries(
                st.sampled_from(names), TEXTS, min_size=1, max_size=3
            )
            run_cases(typed.map(drop_halves), check, size)


def drop_halves(said: dict[str, str]) -> dict[str, str]:
    """A browser can not send half of a pair: it sends the mark for what is lost."""
    return {
        name: text.encode("utf-8", "replace").decode() for name, text in said.items()
    }
