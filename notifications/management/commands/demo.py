"""`demo`: the main job from one end to the other, in a database of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from psycopg import sql

from crm.bell import ring
from crm.embedded.free_port import find_free_port
from crm.embedded.postgres import attach_configured
from notifications.analytics.figures import CampaignReport
from notifications.campaigns.launch import launch_campaign
from notifications.campaigns.runs import start_due_runs
from notifications.demo.console import Console
from notifications.demo.crash import Verdict, judge_log, kill_while_sending
from notifications.demo.rows import Row, RowError, read_rows
from notifications.demo.sample import make_rows
from notifications.demo.story import (
    Loaded,
    build_lapsed_segment,
    count_ends,
    drain_events,
    load_log,
    narrow_quiet_hours,
    run_campaign,
    start_phones,
    wait_for_opens,
    wait_until_sent,
    write_campaign,
    write_story_campaigns,
)
from notifications.demo.world import World
from notifications.models import FrequencyCap, QuietHours

DATABASE = "apropos_demo"
# The sample of a crash run: enough people that 1,000 messages are accepted.
CRASH_CUSTOMERS = 1_600


class Command(BaseCommand):
    help = "Runs the main job on sample data, or on a purchase log, and prints it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--input", type=Path, help="a purchase log, CSV or CSV.gz")
        parser.add_argument(
            "--json", action="store_true", help="one JSON object on stdout"
        )
        parser.add_argument(
            "--crash", action="store_true", help="kill workers with -9 meanwhile"
        )
        parser.add_argument("--inner", action="store_true", help="(used by itself)")

    def handle(self, *args: Any, **options: Any) -> None:
        path = options["input"]
        if path is not None and not path.is_file():
            raise CommandError(f"--input: there is no file {path}")
        attach_configured()
        if not options["inner"]:
            recreate_database(DATABASE)
            sys.exit(run_inside(sys.argv[2:], is_crash=options["crash"]))
        self.run_story(options)

    def run_story(self, options: dict[str, Any]) -> None:
        console = Console()
        console.step("A database of its own")
        call_command("migrate", verbosity=0, interactive=False)
        log_dir = settings.LOG_DIR
        settings.SANDBOX_LOG.unlink(missing_ok=True)
        try:
            with World(log_dir=log_dir) as world:
                loaded = load_log(list_rows(options), console=console)
                result = (
                    tell_crash(loaded, world, console=console)
                    if options["crash"]
                    else tell_story(loaded, world, console=console)
                )
        except (RowError, TimeoutError) as error:
            raise CommandError(f"{error} (logs: {log_dir})") from error
        result["seconds"] = round(console.elapsed_s, 1)
        if options["json"]:
            self.stdout.write(json.dumps(result))
        else:
            self.stdout.write(format_result(result))
        if not result["ok"]:
            sys.exit(1)


def list_rows(options: dict[str, Any]) -> Iterator[Row]:
    if options["input"]:
        return read_rows(options["input"])
    return make_rows(CRASH_CUSTOMERS) if options["crash"] else make_rows()


def recreate_database(name: str) -> None:
    """Drop and make the demo's database on the same server."""
    parameters = connection.get_connection_params()
    parameters.pop("cursor_factory", None)
    parameters.pop("context", None)
    parameters["autocommit"] = True
    with psycopg.connect(**parameters) as server:
        identifier = sql.Identifier(name)
        server.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier)
        )
        server.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
    connection.close()


def run_inside(arguments: list[str], *, is_crash: bool) -> int:
    """The same command again, with the demo's database, queue and addresses."""
    sandbox, web = find_free_port(), find_free_port()
    environment = {
        **os.environ,
        "DATABASE_NAME": DATABASE,
        "BROKER_URL": "pgmq://",
        "SANDBOX": "1",
        "SANDBOX_URL": f"http://127.0.0.1:{sandbox}",
        "SANDBOX_PORT": str(sandbox),
        "SANDBOX_LOG": str(settings.DATA_DIR / "demo-sandbox.jsonl"),
        "SITE_URL": f"http://127.0.0.1:{web}",
        "DEMO_WEB_PORT": str(web),
    }
    if is_crash:
        # A killed worker's rows come back in seconds, not in a minute.
        environment |= {"DELIVERY_LEASE_S": "5", "DELIVERY_SWEEP_S": "1"}
    command = [sys.executable, sys.argv[0], "demo", "--inner", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


def start_world(world: World) -> None:
    world.start_sandbox(int(os.environ["SANDBOX_PORT"]), settings.SANDBOX_LOG)
    world.start_web(int(os.environ["DEMO_WEB_PORT"]))
    world.start_worker()


def describe_loaded(loaded: Loaded) -> dict[str, Any]:
    return {
        "contacts": loaded.contacts,
        "orders": loaded.orders,
        "products": loaded.products,
        "revenue": float(loaded.dataset.revenue),
        "shifted_days": loaded.dataset.shift.days,
        "made_up": ["devices", "consents", "opens", "later purchases"],
    }


def tell_story(loaded: Loaded, world: World, *, console: Console) -> dict[str, Any]:
    console.step("Starting sandbox, web server, worker and phones")
    start_world(world)
    start_phones(world)
    drain_events(console=console)
    size, by_hand = build_lapsed_segment(loaded, console=console)
    narrow_quiet_hours()
    note, win_back = write_story_campaigns()
    run_campaign(note, console=console)
    run_campaign(win_back, console=console)
    console.step("Phones open, dismiss and buy; reports come in signed")
    report = wait_for_opens(win_back, console=console)
    both = [note, win_back]
    ends = count_ends([win_back])
    planned = win_back.deliveries.count()
    return {
        **describe_loaded(loaded),
        "segment_size": size,
        "segment_size_sql": by_hand,
        "planned": planned,
        "sent": report.sent,
        "skipped_by_reason": ends,
        "delivered": report.delivered,
        "opened": report.opened,
        "clicked": report.clicked,
        "converted": report.converted,
        **describe_money(report),
        "campaigns": [campaign.name for campaign in both],
        "sandbox": True,
        "ok": size == by_hand and planned == report.sent + sum(ends.values()),
    }


def describe_money(report: CampaignReport) -> dict[str, Any]:
    """What came in net of refunds, and what went back, by currency."""
    return {
        "earned": {money.currency: float(money.total) for money in report.revenue},
        "refunded": {money.currency: float(money.refunded) for money in report.revenue},
    }


def tell_crash(loaded: Loaded, world: World, *, console: Console) -> dict[str, Any]:
    console.step("Starting sandbox, web server and worker")
    start_world(world)
    drain_events(console=console)
    size, by_hand = build_lapsed_segment(loaded, console=console)
    QuietHours.objects.all().delete()
    FrequencyCap.objects.all().delete()
    campaign = write_campaign(
        "News for everybody",
        segment=None,
        title="New arrivals at {{ brand.name }}",
        body="To go with your {{ catalog.products[last_items[0].code].name }}.",
    )
    console.step("A campaign to everybody, and kill -9 while it sends")
    world.kill("worker")
    launch_campaign(campaign, by="demo")
    start_due_runs()
    kills = kill_while_sending(campaign, world, console=console)
    ring("notifications.tasks.send_deliveries")
    wait_until_sent(campaign, console=console)
    verdict = judge_log(settings.SANDBOX_LOG, campaign, kills=kills)
    return {
        **describe_loaded(loaded),
        "segment_size": size,
        "segment_size_sql": by_hand,
        "planned": campaign.deliveries.count(),
        "sent": campaign.deliveries.filter(state="sent").count(),
        "skipped_by_reason": count_ends([campaign]),
        "opened": campaign.deliveries.exclude(opened_at=None).count(),
        **describe_verdict(verdict),
        "sandbox": True,
        "ok": verdict.holds and size == by_hand,
    }


def describe_verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "kills": verdict.kills,
        "accepted": verdict.accepted,
        "lost": verdict.lost,
        "duplicates": verdict.duplicates,
        "unknown": verdict.unknown,
        "unknown_max": verdict.unknown_max,
    }


def format_result(result: dict[str, Any]) -> str:
    """The figures for a person, aligned."""
    lines = [""]
    for key, value in result.items():
        if isinstance(value, dict):
            inner = ", ".join(f"{name} {count:,}" for name, count in value.items())
            value = inner or "none"
        elif isinstance(value, bool):
            value = "yes" if value else "NO"
        elif isinstance(value, list):
            value = ", ".join(value)
        elif isinstance(value, int | float | Decimal):
            value = f"{value:,}"
        lines.append(f"  {key.replace('_', ' '):<20} {value}")
    return "\n".join(lines)
