"""Load a dataset through the product's own doors.

Orders go in by `record_events`, as the API does; devices and consents are not in
a purchase log, so they are made up by a hash of the customer and labelled so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from django.db import connection
from django.utils import timezone
from msgspec.structs import replace

from crm.catalog.products import save_products
from crm.events.ingest import record_events
from crm.events.schema import Item
from crm.models import Brand, Contact, Device
from crm.models.partitions import ensure_partitions
from notifications.demo.dataset import Dataset, Order, Person
from notifications.demo.foundation import lay_foundation
from notifications.demo.rows import Row
from notifications.demo.sample import draw
from preferences.centers import ensure_default_center
from preferences.consent import Choice, Evidence, Statement, record_statements

CHUNK = 1_000
MADE_UP = "made up by the demo"

# Shares of people, drawn by a hash: who has no device, said no, lost the app.
NO_DEVICE, DENIED, DEAD_TOKEN, NO_CONSENT = 0.02, 0.02, 0.02, 0.03

Progress = Callable[[int], None]
Describe = Callable[[Person], dict[str, Any]]
T = TypeVar("T")


def ensure_shop() -> Brand:
    """The made-up shop's brand, preference center and sandbox sender."""
    return lay_foundation(
        name="Trailhead",
        slug="trailhead",
        website="https://shop.example",
        app_schemes=["myapp"],
        time_zone="Europe/London",
    )


def stage_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Pass rows on while copying them, as they are, into `demo_staging`.

    The plain table is what the segment's size is checked against by hand.
    """
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS demo_staging")
        cursor.execute(
            "CREATE UNLOGGED TABLE demo_staging (invoice text, code text, "
            "quantity int, at timestamp, price numeric, customer text, country text)"
        )
        with cursor.copy("COPY demo_staging FROM STDIN") as copy:
            for row in rows:
                copy.write_row(
                    (
                        row.invoice,
                        row.code,
                        row.quantity,
                        row.at,
                        row.price,
                        row.customer,
                        row.country,
                    )
                )
                yield row


def load_catalog(dataset: Dataset) -> int:
    """Products by code; what is known already is brought up to date."""
    rows = [
        {
            "code": item.code,
            "name": item.name[:300],
            "price": item.price,
            "currency": "GBP",
            "category": item.category,
            "url": f"https://shop.example/products/{item.code}",
        }
        for item in dataset.items
    ]
    save_products(rows, source="demo", at=timezone.now())
    return len(rows)


def describe_place(person: Person) -> dict[str, Any]:
    """What a purchase log tells of a person: the country, and what it stands for."""
    return {
        "country": person.country,
        "timezone": person.place.time_zone,
        "locale": person.place.locale,
    }


def load_people(
    dataset: Dataset, *, progress: Progress, describe: Describe = describe_place
) -> int:
    """Profiles by identify calls, then made-up devices and consents."""
    now = timezone.now()
    for chunk in split_chunks(dataset.people):
        record_items(
            [_build_identify(person, describe(person), at=now) for person in chunk],
            at=now,
        )
        _make_up_reach(chunk, now)
        progress(len(chunk))
    return len(dataset.people)


def load_orders(dataset: Dataset, *, progress: Progress) -> int:
    """One `Order Completed` per invoice, dated by the shifted log."""
    if dataset.orders:
        first, last = dataset.orders[0].at, dataset.orders[-1].at
        ensure_partitions("crm_event", first=first.date(), last=last.date())
    now = timezone.now()
    loaded = 0
    for chunk in split_chunks(dataset.orders):
        loaded += record_items([_build_order(order) for order in chunk], at=now)
        progress(len(chunk))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE crm_event, crm_contact")
    return loaded


def record_items(items: Sequence[Item], *, at: datetime) -> int:
    """One batch through the ingest's own door, numbered as a batch is."""
    numbered = [replace(item, index=index) for index, item in enumerate(items)]
    return record_events(numbered, received_at=at, source="demo").accepted


def split_chunks(rows: Sequence[T]) -> Iterator[list[T]]:
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


def _build_identify(person: Person, traits: dict[str, Any], *, at: datetime) -> Item:
    return Item(
        index=0,
        kind="identify",
        name="",
        user_id=person.external_id,
        anonymous_id="",
        previous_id="",
        message_id=f"demo-profile-{person.external_id}",
        occurred_at=at,
        clock_skewed=False,
        properties={},
        traits=traits,
        context={},
    )


def _build_order(order: Order) -> Item:
    return Item(
        index=0,
        kind="track",
        name="Order Completed",
        user_id=order.customer,
        anonymous_id="",
        previous_id="",
        message_id=f"demo-order-{order.number}",
        occurred_at=order.at,
        clock_skewed=False,
        properties={
            "order_id": order.number,
            "total": float(order.total),
            "currency": "GBP",
            "products": [
                {"code": code, "quantity": quantity, "price": float(price)}
                for code, quantity, price in order.lines
            ],
        },
        traits={},
        context={},
    )


def _make_up_reach(people: Sequence[Person], now: datetime) -> None:
    ids = dict(
        Contact.objects.filter(
            external_id__in=[person.external_id for person in people]
        ).values_list("external_id", "pk")
    )
    registered_at = now - timedelta(days=30)
    Device.objects.bulk_create(
        [
            Device(
                contact_id=ids[person.external_id],
                token=make_token(person.external_id),
                platform=_draw_platform(person.external_id),
                permission="denied" if _drawn("denied", person, DENIED) else "granted",
                name="Phone",
                time_zone=person.place.time_zone,
                attributes={"note": MADE_UP},
                registered_at=registered_at,
                last_seen_at=now - timedelta(days=3 * draw("seen", person.external_id)),
            )
            for person in people
            if not _drawn("device", person, NO_DEVICE)
        ],
        ignore_conflicts=True,
    )
    evidence = Evidence(at=now, actor="demo", source=MADE_UP, proof="demo")
    record_statements(
        [
            Statement(
                ids[person.external_id], (Choice(topic_key="promotions"),), evidence
            )
            for person in people
            if not _drawn("consent", person, NO_CONSENT)
        ],
        center=ensure_default_center(ensure_shop()),
    )


def make_token(external_id: str) -> str:
    """The made-up phone's address; some end in what the sandbox takes for dead."""
    dead = draw("dead", external_id) < DEAD_TOKEN
    return f"demo-{external_id}-{'unregistered' if dead else 'phone'}"


def _draw_platform(external_id: str) -> str:
    return "ios" if draw("platform", external_id) < 0.5 else "android"


def _drawn(what: str, person: Person, share: float) -> bool:
    return draw(what, person.external_id) < share


def read_shifted_clock(dataset: Dataset, at: datetime) -> datetime:
    """`at` on the log's own wall clock, before the shift."""
    return at.astimezone(UTC).replace(tzinfo=None) - dataset.shift
