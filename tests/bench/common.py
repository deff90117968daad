"""What the benches of the engine share: a scratch database and a made-up shop.

The database is `apropos_bench`, beside the one that the settings name (the server
of DATABASE_URL, or the embedded one); it is dropped when the bench ends.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notifications.models import Campaign

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "apropos_bench"
PRODUCTS = 500
ORDERS_OVER_DAYS = 60
Figures = dict[str, Any]

# People with identifiers, a phone, a yes to the topic and one order each.
PEOPLE = """
INSERT INTO crm_contact (uuid, external_id, email, phone, traits, traits_at, locale,
  time_zone, known_since, created_at, updated_at)
SELECT gen_random_uuid(), 'bench-' || i, '', '', jsonb_build_object(
    'first_name', (ARRAY['Ada','Ben','Chloe','Daniel','Emma'])[1 + i %% 5],
    'plan', (ARRAY['free','free','free','pro','team'])[1 + i %% 5]),
  '{}', 'en', (ARRAY['Europe/London','Europe/Berlin','Asia/Tokyo'])[1 + i %% 3],
  now() - make_interval(days => 90), now(), now()
FROM generate_series(1, %(people)s) AS i
"""
IDENTIFIERS = """
INSERT INTO crm_identifier (contact_id, kind, value, created_at)
SELECT id, 'external_id', external_id, now() FROM crm_contact
"""
DEVICES = """
INSERT INTO crm_device (contact_id, token, fid, platform, permission, state,
  time_zone, locale, app_version, name, attributes, registered_at, last_seen_at)
SELECT id, external_id || ':APA91b' || repeat(md5(id::text), 4), '',
  (ARRAY['ios','android'])[1 + id %% 2], 'granted', 'active', '', '', '', '', '{}',
  now() - interval '30 days', now() - make_interval(hours => (id %% 200)::int)
FROM crm_contact
"""
CONSENTS = """
INSERT INTO preferences_subscription (contact_id, center_id, topic_id, channel, state,
  changed_at)
SELECT id, %(center)s, %(topic)s, '', 'subscribed', now() FROM crm_contact
"""
ORDERS = """
INSERT INTO crm_event (id, contact_id, name, occurred_at, received_at, message_id,
  properties, context, value, currency, source, clock_skewed)
SELECT gen_random_uuid(), id, 'Order Completed',
  now() - make_interval(secs => (id * 7919) %% (%(days)s * 86400) + 1), now(),
  'order-' || id, jsonb_build_object('total', 20, 'products', jsonb_build_array(
    jsonb_build_object('code', 'sku-' || id %% %(products)s, 'quantity', 1,
      'price', 20))),
  '{}', 20, 'GBP', 'bench', false
FROM crm_contact
"""
TEXT = {
    "title": "We saved you a seat, {{ customer.first_name | default: 'there' }}",
    "body": "New arrivals to go with your "
    "{{ catalog.products[last_items[0].code].name }}.",
    "link": "myapp://products/{{ last_items[0].code }}",
    "sound": "default",
}


@contextmanager
def open_scratch(**environment: str) -> Iterator[Path]:
    """Django on a new, migrated database; yields a folder for logs."""
    load_django(**environment)
    from django.core.management import call_command
    from django.db import connection

    recreate_scratch()
    try:
        call_command("migrate", verbosity=0, interactive=False)
        with tempfile.TemporaryDirectory(prefix="apropos-bench-") as folder:
            yield Path(folder)
    finally:
        connection.close()
        drop_scratch()


def load_django(**environment: str) -> None:
    sys.path.insert(0, str(ROOT))
    os.environ.update(environment, DATABASE_NAME=DATABASE)
    for name, value in (
        ("DJANGO_SETTINGS_MODULE", "crm.settings"),
        ("SECRET_KEY", "bench-only"),
        ("ENCRYPTION_KEY", "YmVuY2hiZW5jaGJlbmNoYmVuY2hiZW5jaGJlbmNoYmU="),
        ("BROKER_URL", "memory://"),
        ("LOG_LEVEL", "ERROR"),
    ):
        os.environ.setdefault(name, value)
    import django

    django.setup()
    from crm.embedded.postgres import attach_configured

    attach_configured()


def recreate_scratch() -> None:
    drop_scratch()
    run_on_server(f"CREATE DATABASE {DATABASE}")


def drop_scratch() -> None:
    run_on_server(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


def run_on_server(statement: str) -> None:
    import psycopg
    from django.db import connection

    found = connection.get_connection_params()
    wanted = ("host", "port", "user", "password")
    address = {name: found[name] for name in wanted if found.get(name)}
    with psycopg.connect(**address, dbname="postgres", autocommit=True) as server:
        server.execute(statement)


def fill_shop(people: int) -> None:
    """A sender, a topic, a catalog, and so many reachable people who said yes."""
    from django.db import connection
    from django.utils import timezone

    from crm.models import Product
    from crm.models.partitions import ensure_partitions
    from notifications.demo.load import ensure_shop
    from notifications.models import Sender
    from preferences.centers import ensure_default_center

    center = ensure_default_center(ensure_shop())
    # The provider's quota is not what is measured here.
    Sender.objects.update(rate_per_min=60_000_000)
    Product.objects.bulk_create(
        Product(code=f"sku-{n}", name=f"Product {n}", price=20, currency="GBP")
        for n in range(PRODUCTS)
    )
    today = timezone.now().date()
    first = today - timedelta(days=ORDERS_OVER_DAYS + 1)
    for table in ("crm_event", "notifications_renderedmessage"):
        ensure_partitions(table, first=first, last=today + timedelta(days=1))
    values = {
        "people": people,
        "center": center.pk,
        "topic": center.topics.get(key="promotions").pk,
        "days": ORDERS_OVER_DAYS,
        "products": PRODUCTS,
    }
    with connection.cursor() as cursor:
        for statement in (PEOPLE, IDENTIFIERS, DEVICES, CONSENTS, ORDERS):
            cursor.execute(statement, values)
        cursor.execute("VACUUM ANALYZE")
    move_quiet_hours()


def move_quiet_hours() -> None:
    """Quiet hours stay in force, but none of the shop's zones is in them now."""
    from django.utils import timezone

    from notifications.models import QuietHours

    # UTC 12 hours from now is 11 to 13 hours from now in London and Berlin, and
    # 3 in Tokyo.
    starts = timezone.now() + timedelta(hours=12)
    QuietHours.objects.update(
        starts=starts.time().replace(second=0, microsecond=0),
        ends=(starts + timedelta(hours=1)).time().replace(second=0, microsecond=0),
    )


def write_push(name: str, *, text: dict[str, Any] = TEXT, **columns: Any) -> Campaign:
    """A promotional push to everybody; caps, consent and a goal are all asked."""
    from notifications.campaigns.compose import Definition, Text, save_campaign
    from preferences.models import Topic

    topic = Topic.objects.get(key="promotions")
    columns = {"topic": topic, "goal_event": "Order Completed", **columns}
    return save_campaign(Definition(name, columns, texts=(Text(text),)), by="bench")


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_bench(
    description: str | None, scales: dict[str, Any], measure: Callable[[Any], Figures]
) -> None:
    """The command line of a bench: a table for people, or one JSON object."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", choices=scales, default="small")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(scales[options.scale])
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        shown = json.dumps(value) if isinstance(value, dict) else value
        print(f"{name:24} {shown}")
