"""The eight standard segments: computed, written as diffs, touched, explained.

    python tests/bench/segments.py [--scale small|full] [--duckdb] [--json] [--keep]

A database of its own (`apropos_bench_segments`, on the server of DATABASE_URL) with
made-up contacts and events over 180 days, spread by hashes, the same on every run;
`--keep` uses what an earlier run left. Times are seconds, the best of three where
nothing is written. `--duckdb` (`pip install duckdb`) asks DuckDB the same in the same
run: `segment_worst_x_duckdb` is the worst ratio of those that take 0.3 s or longer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "apropos_bench_segments"
DEFAULT_URL = "postgres://postgres@127.0.0.1:5432/apropos"
# contacts, events
SCALES = {"small": (100_000, 2_000_000), "full": (1_000_000, 20_000_000)}
TOUCHED = 10_000
# Nobody waits for what is faster, whatever another engine takes.
WAIT_S = 0.3
TOUCHED_SEGMENTS = ("S3", "S4", "S5", "S7", "S8")

CONTACTS = """
INSERT INTO crm_contact (uuid, email, phone, traits, traits_at, locale, time_zone,
  known_since, created_at, updated_at)
SELECT gen_random_uuid(), '', '', jsonb_build_object(
    'plan', (ARRAY['free','free','free','free','free','free','free','pro','team',
      'trial'])[1 + i %% 10],
    'country', (ARRAY['DE','FR','US','GB','IN','BR','JP','NO','SE'])[1 + i %% 9],
    'age', 18 + i %% 60),
  '{}', 'en', 'UTC',
  now() - make_interval(days => (1 + (i::bigint * 7919) %% 400)::int),
  now(), now()
FROM generate_series(1, %s) AS i
"""
DEVICES = """
INSERT INTO crm_device (contact_id, token, fid, platform, permission, state,
  time_zone, locale, app_version, name, attributes, registered_at, last_seen_at)
SELECT c.id, 't' || c.id, '',
  (ARRAY['ios','android','web'])[1 + (hashint8(c.id) & 1023) % 3],
  (ARRAY['granted','denied'])[1 + (c.id / 10) % 2], 'active', '', '', '', '', '{}',
  now(), now() - make_interval(days => (c.id % 200)::int)
FROM crm_contact c WHERE c.id % 10 < 8
"""
# Names are skewed and recent days a little fuller, as on a real road.
EVENTS = """
INSERT INTO crm_event (id, contact_id, name, occurred_at, received_at, message_id,
  properties, context, value, currency, source, clock_skewed)
SELECT gen_random_uuid(), 1 + (random() * random() * %(contacts)s)::bigint
    %% %(contacts)s,
  n.name, now() - make_interval(secs => random() * 180 * 86400), now(), i::text,
  '{}', '{}', CASE WHEN n.name = 'purchase' THEN (random() * 120)::numeric(10, 2) END,
  '', 'bench', false
FROM generate_series(1, %(events)s) AS i, LATERAL (SELECT (ARRAY['app_open',
  'app_open','app_open','page','page','page','view','view','cart','purchase'])
  [1 + i %% 10] AS name) AS n
"""


def days(n: int) -> dict[str, Any]:
    return {"amount": n, "unit": "days"}


CART = {"type": "event", "name": "cart"}
BOUGHT = {"type": "event", "name": "purchase"}
IOS = {"type": "device", "platform": "ios", "permission": ["granted"]}
PRO = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}
AWAY = {"type": "not_performed", "name": "app_open", "within": days(7)}
COUNTRIES = {"type": "attribute", "trait": "country", "op": "in"}
RULES: dict[str, dict[str, Any]] = {
    "S1": PRO,
    "S2": {**COUNTRIES, "value": ["DE", "FR", "US"]},
    "S3": {**CART, "count": {"op": "at_least", "n": 3}, "within": days(30)},
    "S4": AWAY,
    "S5": {
        "all": [{**CART, "within": days(7)}, {"none": [{**BOUGHT, "within": days(7)}]}]
    },
    "S6": IOS,
    "S7": {"all": [PRO, IOS, {**CART, "within": days(30)}, {"none": [AWAY]}]},
    "S8": {
        **BOUGHT,
        "sum": {"property": "value", "op": "at_least", "n": 200},
        "within": days(90),
    },
}


def point_at_own_database() -> str:
    parts = urlsplit(os.environ.get("DATABASE_URL") or DEFAULT_URL)
    os.environ["DATABASE_URL"] = urlunsplit(parts._replace(path=f"/{DATABASE}"))
    return urlunsplit(parts._replace(path="/postgres"))


def make_database(admin_url: str, *, keep: bool) -> bool:
    """True where the database is new and empty."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
        ).fetchone()
        if found and keep:
            return False
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    return True


def load_django() -> None:
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
    os.environ.setdefault("SECRET_KEY", "bench-only")
    os.environ.setdefault("BROKER_URL", "memory://")
    import django

    django.setup()


def fill_database(contacts: int, events: int) -> None:
    from datetime import timedelta

    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from crm.models.partitions import ensure_partitions

    call_command("migrate", verbosity=0)
    today = timezone.now().date()
    ensure_partitions("crm_event", first=today - timedelta(days=190), last=today)
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SELECT setseed(0.42)")
        cursor.execute(CONTACTS, [contacts])
        cursor.execute(DEVICES)
        cursor.execute(EVENTS, {"contacts": contacts, "events": events})
        cursor.execute("VACUUM ANALYZE")


def best_of(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    found: list[float] = []
    answer = None
    for _ in range(times):
        start = time.perf_counter()
        answer = work()
        found.append(time.perf_counter() - start)
    return min(found), answer


def measure() -> dict[str, Any]:
    from django.db import connection

    from crm.clock import read_clock
    from segments.compile import compile_rule
    from segments.editing import save_segment
    from segments.explain import explain_contact
    from segments.membership import refresh_segment
    from segments.models import Segment
    from segments.rules.validate import parse_rule

    at = read_clock()
    Segment.objects.update(current_version=None)
    Segment.objects.all().delete()
    rows: dict[str, Any] = {}
    for name, root in RULES.items():
        data = {"version": 1, "root": root}
        rule = parse_rule(data)
        wanted = compile_rule(rule, at=at)

        def count(sql: Any = wanted) -> int:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT count(*) FROM ({sql.text}) q", sql.params)
                return cursor.fetchone()[0]

        computed, members = best_of(count)
        segment = save_segment(name=name, rule=data, actor="bench")
        built, _ = best_of(lambda one=segment: refresh_segment(one, at=at), 1)
        again, _ = best_of(lambda one=segment: refresh_segment(one, at=at), 2)
        told, _ = best_of(lambda one=rule: explain_contact(one, 1, at=at), 5)
        rows[name] = {
            "members": members,
            "computed_s": round(computed, 4),
            "first_build_s": round(built, 3),
            "refresh_s": round(again, 3),
            "explain_ms": round(told * 1000, 2),
        }
    return {"segments": rows, "at": at, "touch_10k_s": measure_touch(at)}


def measure_touch(at: Any) -> float:
    """10,000 touched contacts, five segments that mention the event."""
    from django.db import connection, transaction

    from segments.membership import touch_contacts
    from segments.models import Segment

    Segment.objects.exclude(name__in=TOUCHED_SEGMENTS).update(kind="static")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT contact_id FROM crm_event WHERE occurred_at > now() - "
            "interval '3 days' LIMIT %s",
            [TOUCHED],
        )
        ids = [pk for (pk,) in cursor.fetchall()]
    names = ["cart", "purchase", "app_open"]

    def touch() -> None:
        with transaction.atomic():
            touch_contacts(ids, at=at, event_names=names)

    touch()
    return round(best_of(touch)[0], 3)


def compare_with_duckdb(rows: dict[str, Any], *, at: Any) -> float:
    """Adds what DuckDB took to each row; the worst ratio where somebody waits."""
    from django.db import connection
    from duck import measure_duckdb

    connection.ensure_connection()
    for name, (took_s, members) in measure_duckdb(connection.connection, at=at).items():
        row = rows[name]
        if members != row["members"]:
            raise SystemExit(f"{name}: DuckDB found {members}, we {row['members']}")
        row["duckdb_s"] = round(took_s, 4)
        row["x_duckdb"] = round(row["computed_s"] / took_s, 1)
    slow = [row["x_duckdb"] for row in rows.values() if row["computed_s"] >= WAIT_S]
    return max(slow, default=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--duckdb", action="store_true")
    args = parser.parse_args()
    new = make_database(point_at_own_database(), keep=args.keep)
    load_django()
    if new:
        start = time.perf_counter()
        fill_database(*SCALES[args.scale])
        print(f"filled in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    figures = measure()
    rows = figures["segments"].values()
    figures["refresh_worst_s"] = max(row["refresh_s"] for row in rows)
    figures["explain_ms"] = max(row["explain_ms"] for row in rows)
    if args.duckdb:
        worst = compare_with_duckdb(figures["segments"], at=figures["at"])
        figures["segment_worst_x_duckdb"] = worst
    del figures["at"]
    if args.json:
        print(json.dumps(figures))
        return
    print(
        f"{'':4}{'members':>10}{'computed':>10}{'first':>8}{'again':>8}{'explain':>9}"
    )
    for name, row in figures["segments"].items():
        print(
            f"{name:4}{row['members']:>10,}{row['computed_s']:>10.3f}"
            f"{row['first_build_s']:>8.2f}{row['refresh_s']:>8.2f}"
            f"{row['explain_ms']:>7.1f}ms"
        )
    print(f"touch of 10,000 contacts, 5 segments: {figures['touch_10k_s']} s")
    for name, row in figures["segments"].items() if args.duckdb else ():
        print(f"{name} by DuckDB {row['duckdb_s']} s: we take {row['x_duckdb']} x")


if __name__ == "__main__":
    main()
