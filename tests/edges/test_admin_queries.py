"""Every page of the admin, from its registry, under strange parameters and callers."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from tests.edges.site import list_models, list_routes, name_list
from tests.edges.world import make_world

pytestmark = pytest.mark.django_db
LABELS = [model._meta.label_lower for model in list_models()]
MODELS = dict(zip(LABELS, list_models(), strict=True))
HUGE = "9" * 24
# The first of each list are asked in every run, the rest by `--full`.
TEXTS = ["%ED%A0%80", "a" * 10_000, "%00", "%ff", "%F0%9F", "'", "%25_%5C"]
STRANGE_IDS = [HUGE, "%ED%A0%80", "%00", "_5F", "0", "-1", "%ff", "x", "a" * 3_000]
STRANGE_IDS += ["00000000-0000-0000-0000-000000000000", "1.5", "%2e%2e", "١"]
PLAIN = [
    "o=999.-1.x.99999999999999999999&p=-1",
    "p=99999999999999999999",
    "no_such_field=1",
    "no__such__lookup=1",
    "_to_field=password",
    "p=x",
    "all=",
    "e=1",
    "_popup=1&_to_field=id",
    "_changelist_filters=%00",
    "_changelist_filters=q%3D%2500",
    "%ff=%ff",
    "x[]=1&x[]=2",
    "before=tomorrow",
    f"before={HUGE}-01-01",
    "&".join(f"a{n}=1" for n in range(1_200)),
]
SIZES = [
    pytest.param(False, id="quick"),
    pytest.param(True, id="long", marks=pytest.mark.full),
]


@pytest.fixture
def world(db: None) -> Any:
    return make_world()


@pytest.fixture
def staff(world: Any, client: Client) -> Client:
    client.raise_request_exception = False
    client.force_login(world.staff, "django.contrib.auth.backends.ModelBackend")
    return client


def ask(client: Client, address: str, **headers: str) -> HttpResponse:
    """One request; whatever it did to the database is undone."""
    with transaction.atomic():
        response = client.get(address, headers=headers)
        transaction.set_rollback(True)
    return response


def list_filters(model: Any) -> list[str]:
    """Each column of the table, asked for what it can not hold."""
    queries: list[str] = []
    for field in model._meta.concrete_fields:
        if field.get_internal_type() in ("DateTimeField", "DateField"):
            queries.append(f"{field.name}__year=99999999")
            queries.append(f"{field.name}__gte={HUGE}-01-01")
        elif field.get_internal_type() != "TextField":
            queries.append(f"{field.name}__exact={HUGE}")
            queries.append(f"{field.name}__isnull=%ff")
    return queries


def find_broken(client: Client, addresses: list[str]) -> dict[str, int]:
    """The addresses that are answered with a 500."""
    answers = {address: ask(client, address).status_code for address in addresses}
    return {
        address[:120]: status
        for address, status in answers.items()
        if status not in (200, 302, 400, 403, 404, 405)
    }


@pytest.mark.parametrize("is_long", SIZES)
@pytest.mark.parametrize("label", LABELS)
def test_no_list_answers_a_strange_question_with_500(
    label: str, is_long: bool, staff: Client
) -> None:
    model, pk = MODELS[label], MODELS[label]._meta.pk.name
    asked = PLAIN if is_long else PLAIN[:4]
    asked = [*asked, *(f"q={text}" for text in (TEXTS if is_long else TEXTS[:2]))]
    asked += [f"{pk}__exact=%00", f"{pk}__exact=%ED%A0%80"]
    filters = list_filters(model)
    asked += filters if is_long else filters[::2]
    address = name_list(model)
    assert find_broken(staff, [f"{address}?{query}" for query in asked]) == {}
    assert ask(staff, address).status_code == 200


@pytest.mark.parametrize("is_long", SIZES)
@pytest.mark.parametrize("label", LABELS)
def test_no_page_of_a_row_answers_500(label: str, is_long: bool, staff: Client) -> None:
    model = MODELS[label]
    address, row = name_list(model), model._default_manager.first()
    ids = STRANGE_IDS if is_long else STRANGE_IDS[:2]
    actions = ("change", "history", "delete") if is_long else ("change",)
    pages = [f"{address}{pk}/{action}/" for pk in ids for action in actions]
    pages.append(f"{address}add/?_changelist_filters=%00&_to_field=x&_popup=1")
    if row:
        own = f"{address}{quote(str(row.pk), safe='')}"
        pages += [f"{own}/{action}/" for action in ("change", "history", "delete")]
        pages.append(f"{own}/change/?before={HUGE}-01-01&_changelist_filters=%ff")
    if is_long:
        columns = [field.name for field in model._meta.concrete_fields]
        values = (HUGE, "%ff")
        pages += [f"{address}add/?{name}={x}" for name in columns for x in values]
    assert find_broken(staff, pages) == {}


def list_own_pages() -> list[str]:
    """The admin's further pages: the addresses that no model has by itself."""
    plain = ("add", "change", "history", "delete")
    return [
        route.template
        for route in list_routes()
        if route.template.startswith("/admin/")
        and route.template.rstrip("/").rpartition("/")[2] not in plain
        and "<url>" not in route.template
        and route.template[-12:] != "<object_id>/"
        and "logout" not in route.template
        # 503 with an empty picture where no library draws QR codes.
        and "/qrcode/" not in route.template
    ]


@pytest.mark.parametrize("is_long", SIZES)
def test_no_other_page_of_the_admin_answers_500(
    is_long: bool, staff: Client, world: Any
) -> None:
    asked = ["", f"q=%ED%A0%80&contact={HUGE}&locale=%ff&page=-1&p=-1&s={HUGE}"]
    if is_long:
        asked += PLAIN + [f"q={text}" for text in TEXTS]
    ids = (str(world.campaign.pk), str(world.delivery.pk), str(world.segment.pk), HUGE)
    lists = {name_list(model) for model in MODELS.values()}
    addresses = {
        f"{re.sub(r'<[a-z_]+>', pk, template)}?{query}"
        for template in list_own_pages()
        if template not in lists
        for pk in ids
        for query in asked
    }
    assert find_broken(staff, sorted(addresses)) == {}


@pytest.mark.parametrize("label", LABELS)
def test_a_stranger_is_sent_to_the_login_and_staff_without_rights_are_refused(
    label: str, world: Any, client: Client
) -> None:
    model = MODELS[label]
    row = model._default_manager.first()
    pages = [name_list(model), f"{name_list(model)}add/"]
    if row:
        pages.append(f"{name_list(model)}{quote(str(row.pk), safe='')}/change/")
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 302, page
        assert answer["Location"].startswith("/admin/login/?next="), page
    user = User.objects.create(username="bare", is_staff=True)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    statuses = {page: client.get(page).status_code for page in pages}
    assert statuses == dict.fromkeys(pages, 403)
