"""Who may go where: each route of the URL map is in the table, or fails the run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from crm.api import auth
from preferences.tokens import build_preference_url, build_unsubscribe_url
from tests.edges.site import Route, list_models, list_routes, name_list
from tests.edges.world import World, forget_log, make_world
from tests.factories import make_api_key

pytestmark = pytest.mark.django_db
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
KEYS = ("track", "read", "send", "admin")
CALLERS = ("nobody", *KEYS, "bare", "root")
EVERYBODY = " ".join(CALLERS)
READERS = "read admin root"
WRITERS = "track admin root"
STEERERS = "send admin root"
TRACKERS = "track admin"
INGEST = {"POST": TRACKERS}
# Method → who gets past the door; whoever is not named is refused, and a method
# that is not named succeeds for nobody.
# A right call of each kind that ingest takes: a key in the body is read late.
CALL = json.dumps(
    {"userId": "a", "event": "e", "previousId": "b", "groupId": "g", "batch": []}
)
# The shape of an id: another text is no address.
NO_EVENT = "019a6f0e-2b7c-7000-8000-000000000000"
TABLE: dict[str, dict[str, str]] = {
    "/": {"GET": EVERYBODY, **dict.fromkeys(METHODS[1:], EVERYBODY)},
    "/healthz": {"GET": EVERYBODY},
    "/v1/batch": INGEST,
    "/v1/import": INGEST,
    "/api/public/apps/batch": INGEST,
    "/batch": INGEST,
    "/batch/": INGEST,
    "/capture": INGEST,
    "/capture/": INGEST,
    "/i/v0/e": INGEST,
    "/i/v0/e/": INGEST,
    "/v1/alias": INGEST,
    "/v1/group": INGEST,
    "/v1/identify": INGEST,
    "/v1/page": INGEST,
    "/v1/screen": INGEST,
    "/v1/track": INGEST,
    # The signed word in the body is the key.
    "/v1/push/<delivery_id>/events": {"POST": EVERYBODY},
    # Its signature is the key, and nobody here has the secret.
    "/v1/catalogs/<slug>/webhook": {"POST": ""},
    "/api/v1/customers/<identifier>": dict.fromkeys(("PUT", "DELETE"), TRACKERS),
    "/api/v1/customers/<identifier>/events": INGEST,
    "/api/v1/customers/<identifier>/devices": {"PUT": TRACKERS},
    "/api/v1/customers/<identifier>/devices/<token>": {"DELETE": TRACKERS},
    "/api/v1/customers/<identifier>/suppress": INGEST,
    "/api/v1/customers/<identifier>/unsuppress": INGEST,
    "/api/v1/events": INGEST,
    "/api/v1/merge_customers": INGEST,
    "/api/v2/entity": INGEST,
    "/api/v2/batch": INGEST,
    "/api/v1/push/events": INGEST,
    "/api/v1/metrics": INGEST,
    "/v1/customers": {"GET": "read admin"},
    "/v1/send/<channel>": {"POST": "send admin"},
    "/api/schema/": {"GET": EVERYBODY},
    "/api/docs/": {"GET": EVERYBODY},
    "/api/contacts/": {"GET": READERS, "POST": WRITERS},
    "/api/contacts/<pk>/": {
        "GET": READERS,
        "PATCH": WRITERS,
        "DELETE": "admin root",
    },
    "/api/contacts/<pk>/events/": {"GET": READERS},
    "/api/contacts/<uuid>/preferences/": {"GET": READERS, "PUT": WRITERS},
    "/api/contacts/<uuid>/preference-link/": {"GET": STEERERS},
    "/api/contacts/<contact>/segments/": {"GET": READERS},
    "/api/contacts/<contact>/merge/": {"POST": "admin root"},
    "/api/events/": {"GET": READERS},
    "/api/events/<pk>/": {"GET": READERS},
    "/api/merges/": {"GET": READERS},
    "/api/merges/<pk>/": {"GET": READERS},
    "/api/merges/<pk>/undo/": {"POST": "admin root"},
    "/api/orders/": {"GET": READERS},
    "/api/orders/<pk>/": {"GET": READERS},
    "/api/subscriptions/": {"GET": READERS},
    "/api/subscriptions/<pk>/": {"GET": READERS},
    "/api/devices/": {"GET": READERS, "POST": WRITERS},
    "/api/catalogs/": {"GET": READERS, "POST": "admin root"},
    "/api/catalogs/<slug>/": {"GET": READERS, "PATCH": "admin root"},
    "/api/catalogs/<slug>/items/": {
        "GET": READERS,
        "PUT": WRITERS,
        "PATCH": WRITERS,
    },
    "/api/catalogs/<slug>/items/<code>/": {"GET": READERS, "DELETE": WRITERS},
    "/api/products/": {"GET": READERS, "POST": WRITERS},
    "/api/products/<code>/": {"GET": READERS},
    "/api/segments/": {"GET": READERS, "POST": "admin root"},
    "/api/segments/preview/": {"POST": READERS},
    "/api/segments/<pk>/": {
        "GET": READERS,
        "PATCH": "admin root",
        "DELETE": "admin root",
    },
    "/api/segments/<pk>/changes/": {"GET": READERS},
    "/api/segments/<pk>/copy/": {"POST": "admin root"},
    "/api/segments/<pk>/explain/": {"GET": READERS},
    "/api/segments/<pk>/members/": {"GET": READERS, "POST": "admin root"},
    "/api/segments/<pk>/overlap/": {"GET": READERS},
    "/api/segments/<pk>/restore/": {"POST": "admin root"},
    "/api/segments/<pk>/uses/": {"GET": READERS},
    "/api/segments/<pk>/versions/": {"GET": READERS},
    "/api/campaigns/": {"GET": READERS},
    "/api/campaigns/<pk>/": {"GET": READERS},
    "/api/campaigns/<pk>/report/": {"GET": READERS},
    "/api/campaigns/<pk>/launch/": {"POST": STEERERS},
    "/api/campaigns/<pk>/pause/": {"POST": STEERERS},
    "/api/campaigns/<pk>/resume/": {"POST": STEERERS},
    "/api/campaigns/<pk>/cancel/": {"POST": STEERERS},
    "/api/campaigns/<pk>/test/": {"POST": STEERERS},
    "/api/deliveries/": {"GET": READERS},
    "/api/deliveries/<pk>/": {"GET": READERS},
    # The signed link, then its cookie, is the key.
    "/p/<token>": {"GET": EVERYBODY},
    "/preferences/": {"GET": EVERYBODY, "POST": EVERYBODY},
    "/unsubscribe/<token>": {"GET": EVERYBODY, "POST": EVERYBODY},
    "/preferences/preview/<pk>/": {"GET": "root", "POST": "root"},
    # Staff only where DEBUG is off, as here.
    "/sandbox/": {"GET": "bare root"},
    "/sandbox/cards/": {"GET": "bare root"},
    # What no app answers: a 404 that tells nobody anything.
    "/(?:api|v1)/": dict.fromkeys(METHODS, EVERYBODY),
}
OPEN_STAFF_PAGES = {
    "/admin/login/",
    "/admin/jsi18n/",
    "/admin/logout/",
    # For whom gave the password and owes the code: to the login for anybody else.
    "/admin/second-factor/verify/",
    "/admin/second-factor/leave/",
}
# What every member of staff may see: nothing in them is a contact's.
OWN_STAFF_PAGES = {
    "/admin/",
    "/admin/search/",
    "/admin/password_change/",
    "/admin/password_change/done/",
    "/admin/second-factor/",
    "/admin/second-factor/begin/",
    "/admin/second-factor/set-up/",
    "/admin/second-factor/codes/",
    "/admin/second-factor/remove/",
}
ROUTES = {route.template: route for route in list_routes()}
PUBLIC = sorted(name for name in ROUTES if not name.startswith("/admin/"))
# One world for all pages of a table: making it costs more than asking.
STAFF_PARTS: dict[str, list[str]] = {}
for name in sorted(set(ROUTES) - set(PUBLIC)):
    STAFF_PARTS.setdefault("/".join(name.split("/")[1:4]), []).append(name)


@pytest.fixture
def world(settings: Any, tmp_path: Any) -> World:
    forget_log(settings, tmp_path)
    settings.DEBUG = False
    auth.forget_keys()
    return make_world()


@pytest.fixture
def callers(world: World) -> dict[str, Client]:
    User.objects.create(username="bare", is_staff=True)
    return {name: make_caller(name) for name in CALLERS}


def make_caller(name: str) -> Client:
    if name in KEYS:
        header = f"Bearer {make_api_key(name)}"
        return Client(raise_request_exception=False, HTTP_AUTHORIZATION=header)
    client = Client(raise_request_exception=False)
    if name != "nobody":
        user = User.objects.get(username=name)
        client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def fill_address(route: Route, world: World) -> str:
    """The route with rows of the world in it."""
    contact, center = world.contact, world.center
    path = route.template
    links: dict[str, Callable[[], str]] = {
        "/p/": lambda: build_preference_url(contact, center=center, site_url="/"),
        "/unsubscribe/": lambda: build_unsubscribe_url(
            contact, center=center, site_url="/"
        ),
    }
    for start, build in links.items():
        if path.startswith(start):
            return build()
    known = {
        "delivery_id": world.delivery.pk,
        "uuid": contact.uuid,
        "contact": contact.uuid,
        "code": "sku-1",
        "slug": "products",
        "content_type_id": 1,
        "url": "nowhere",
        "app_label": "crm",
    }
    rows = {
        "/api/contacts/": contact.uuid,
        "/api/events/": NO_EVENT,
        "/api/segments/": world.segment.pk,
        "/api/campaigns/": world.campaign.pk,
        "/api/deliveries/": world.delivery.pk,
        "/preferences/": center.pk,
    } | {name_list(model): find_row(model) for model in list_models()}
    row = next((pk for start, pk in rows.items() if path.startswith(start)), 1)
    return re.sub(r"<(\w+)>", lambda m: str(known.get(m[1], row)), path)


def find_row(model: Any) -> Any:
    row = model._default_manager.first()
    return row.pk if row else 1


def call(client: Client, method: str, address: str) -> HttpResponse:
    with transaction.atomic():
        body = {} if method == "GET" else {"data": CALL}
        answer = client.generic(
            method, address, content_type="application/json", **body
        )
        transaction.set_rollback(True)
    return answer


def is_refused(answer: HttpResponse) -> bool:
    to_login = "/admin/login/" in answer.get("Location", "")
    return answer.status_code in (401, 403) or to_login


def test_every_route_is_in_the_table_and_nothing_else_is() -> None:
    assert sorted(TABLE) == PUBLIC


@pytest.mark.parametrize("template", PUBLIC)
def test_only_the_named_callers_get_past_the_door(
    template: str, world: World, callers: dict[str, Client]
) -> None:
    address = fill_address(ROUTES[template], world)
    address = address.replace("(?:api|v1)", "api") + "nowhere" * ("?" in template)
    said = TABLE.get(template, {})
    wrong: list[str] = []
    for method in METHODS:
        allowed = said.get(method, "").split()
        for name, client in callers.items():
            answer = call(client, method, address)
            if method not in said:
                fine = is_refused(answer) or answer.status_code == 405
            else:
                fine = is_refused(answer) is (name not in allowed)
            if not fine or answer.status_code >= 500:
                wrong.append(f"{method} by {name}: {answer.status_code}")
    assert wrong == []


@pytest.mark.parametrize("part", STAFF_PARTS)
def test_the_admin_is_for_staff_with_the_right(
    part: str, world: World, callers: dict[str, Client]
) -> None:
    wrong: list[str] = []
    for template in STAFF_PARTS[part]:
        address = fill_address(ROUTES[template], world)
        for name in ("nobody", "admin", "bare", "root"):
            for method in ("GET", "POST"):
                answer = call(callers[name], method, address)
                if not is_fine(answer, name, template):
                    wrong.append(f"{method} {address} {name}: {answer.status_code}")
    assert wrong == []


def is_fine(answer: HttpResponse, name: str, template: str) -> bool:
    if template in OPEN_STAFF_PAGES or name == "root":
        return answer.status_code < 500
    if name in ("nobody", "admin"):
        return answer.status_code == 302 and is_refused(answer)
    if template in OWN_STAFF_PAGES:
        return answer.status_code < 500
    if template.endswith(("<object_id>/", "/history/")):
        # To the page of the row, or back to the start where there is no such row.
        return answer.status_code in (302, 403, 404, 405)
    return answer.status_code in (403, 404, 405)
