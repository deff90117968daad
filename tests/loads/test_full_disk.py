"""F15: the embedded database on a small disk, filled by ingest until nothing fits."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crm.embedded.cluster import DATABASE, Cluster, locate_cluster
from crm.embedded.postgres import attach_or_start, is_reachable, release_server
from notifications.demo.world import World
from tests.architecture.source import ROOT
from tests.loads.run import tell
from tests.loads.sender import Client
from tests.loads.site import Site
from tests.server import find_free_port

pytestmark = pytest.mark.slow
ROOMY_MB = 900
# Left of the disk when the filling begins, and when ordinary events are turned away.
LEFT_MB, GUARD_MB = 90, 30
PEOPLE = 30_000
ITEMS, ITEM_BYTES = 15, 24_000
# After the first refusal, so long the site must go on refusing in its own words.
FULL_S = 8.0
RECOVER_S = 60.0
# What the API says of itself is JSON: `Client` reads nothing else.
REFUSALS = {429: "disk_full", 503: "unavailable", 507: "disk_full"}

PREPARE = f"""
from django.db import connection
from django.utils import timezone
from crm.models.partitions import ensure_partitions
from tests.notifications.factories import make_campaign
today = timezone.now().date()
ensure_partitions("crm_event", first=today, last=today)
with connection.cursor() as cursor:
    cursor.execute('''
INSERT INTO crm_contact (uuid, external_id, email, phone, traits, traits_at, locale,
  time_zone, known_since, created_at, updated_at)
SELECT gen_random_uuid(), 'person-' || i, '', '', '{{}}', '{{}}', '', '', now(), now(),
  now() FROM generate_series(1, {PEOPLE}) AS i''')
make_campaign(purpose_class="promotional")
"""
LAUNCH = """
from notifications.campaigns.launch import launch_campaign
from notifications.campaigns.runs import start_due_runs
from notifications.models import Campaign
for campaign in Campaign.objects.filter(state="draft"):
    launch_campaign(campaign, by="test")
start_due_runs()
"""


@dataclass(slots=True)
class Disk:
    """A file system in memory, whose size can be changed under a running server."""

    path: Path

    def resize(self, megabytes: float) -> None:
        size = f"remount,size={int(megabytes * 1_000_000)}"
        subprocess.run(["mount", "-o", size, str(self.path)], check=True)

    @property
    def used_mb(self) -> float:
        return shutil.disk_usage(self.path).used / 1_000_000


@pytest.fixture
def disk() -> Iterator[Disk]:
    # Where the database's account may enter, unlike pytest's own directories.
    path = Path(tempfile.mkdtemp(prefix="apropos-disk-", dir="/tmp"))
    options = f"size={ROOMY_MB}m,mode=755"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        path.rmdir()
        pytest.skip("only root may mount a small disk")
    yield Disk(path)
    subprocess.run(["umount", "--lazy", str(path)], check=True)
    path.rmdir()


@dataclass(slots=True)
class Shop:
    """A site on an embedded database of its own."""

    cluster: Cluster
    environment: dict[str, str]

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def prepare(self) -> str:
        """Tables, people, a campaign that nobody launched; answers a key."""
        for step in (["migrate", "-v", "0"], ["shell", "--no-imports", "-c", PREPARE]):
            done = self.manage(*step)
            assert done.returncode == 0, done.stderr
        return self.manage("create_api_key", "--scope", "track").stdout.split()[-1]

    def query(self, statement: str) -> list[Any]:
        with psycopg.connect(self.cluster.conninfo()) as database:
            return [row[0] for row in database.execute(statement).fetchall()]


@pytest.fixture
def shop(disk: Disk) -> Iterator[Shop]:
    cluster = locate_cluster(ROOT, disk.path)
    attach_or_start(cluster)
    environment = {
        "DATA_DIR": str(disk.path),
        "DATABASE_URL": "",
        "DATABASE_NAME": DATABASE,
        "BROKER_URL": "memory://",
        "LOG_LEVEL": "CRITICAL",
    }
    yield Shop(cluster, environment)
    release_server(cluster)


@dataclass(slots=True)
class Filler:
    """Sends batches of large events, each whole or not at all."""

    client: Client
    sent: dict[int, bool] = field(default_factory=dict)
    answers: list[tuple[int, str, str | None]] = field(default_factory=list)

    def send(self) -> int:
        number = len(self.sent)
        noise = random.Random(number)  # what repeats would be packed
        batch = [
            {
                "type": "track",
                "userId": f"visitor-{number}",
                "event": "Seen",
                "messageId": f"{number}-{place}",
                "properties": {"note": noise.randbytes(ITEM_BYTES // 2).hex()},
            }
            for place in range(ITEMS)
        ]
        status, said = self.client.post(
            "/v1/batch", json.dumps({"batch": batch}).encode()
        )
        self.sent[number] = status == 200
        self.answers.append((status, said.get("code", ""), said.get("retry_after")))
        return status

    def fill_until(self, status: int, *, most: int = 1_000) -> None:
        for _ in range(most):
            if self.send() == status:
                return
        pytest.fail(f"no {status} after {most} batches: {Counter(self.answers)}")

    def count_acknowledged(self) -> int:
        return sum(self.sent.values()) * ITEMS


def test_f15_a_full_disk_takes_nothing_that_was_acknowledged(
    disk: Disk, shop: Shop, tmp_path: Path
) -> None:
    key = shop.prepare()
    disk.resize(disk.used_mb + LEFT_MB)
    with World(log_dir=tmp_path) as world:
        guarded = {**shop.environment, "DISK_MIN_FREE_MB": str(GUARD_MB)}
        site = Site(world, find_free_port(), guarded)
        site.start_web()
        filler = Filler(Client(site.port, key))
        filler.fill_until(429)
        assert {status for status, *_ in filler.answers} == {200, 429}
        assert filler.answers[-1] == (429, "disk_full", "60")
        check_purchase(filler.client)
        # Now to the last megabyte, which a web process may or may not see coming.
        site.world.stop("web")
        site.environment = {**shop.environment, "DISK_MIN_FREE_MB": "1"}
        site.start_web()
        filler.client = Client(site.port, key)
        fill_to_the_brim(filler)
        launched = shop.manage("shell", "--no-imports", "-c", LAUNCH)
        assert launched.returncode != 0, "a campaign of so many fits on a full disk"
        disk.resize(ROOMY_MB)
        recovered_s = wait_for_server(shop.cluster)
        found = check_kept(shop, filler)
        tell("F15", Counter(filler.answers), found, f"back in {recovered_s:.1f} s")
        # The old connection was closed in its long rest.
        filler.client = Client(site.port, key)
        assert filler.send() == 200
        check_campaign(shop)


def check_purchase(client: Client) -> None:
    """Never turned away, also while the disk runs out."""
    bought = {
        "userId": "visitor-1",
        "event": "Order Completed",
        "properties": {"revenue": 5},
    }
    status, _ = client.post("/v1/track", json.dumps(bought).encode())
    assert status == 200


def fill_to_the_brim(filler: Filler) -> None:
    begun = len(filler.answers)
    while filler.send() == 200:
        assert len(filler.answers) < begun + 1_000
    ends_at = time.monotonic() + FULL_S
    while time.monotonic() < ends_at:
        filler.send()
        time.sleep(0.1)
    for status, code, wait_s in filler.answers[begun:]:
        assert status == 200 or REFUSALS.get(status) == code, filler.answers[begun:]
        assert status == 200 or int(wait_s or 0) > 0


def wait_for_server(cluster: Cluster) -> float:
    """As `up` does it: its keeper starts the server again."""
    begun_at = time.monotonic()
    while not is_reachable(cluster):
        assert time.monotonic() < begun_at + RECOVER_S
        attach_or_start(cluster)
    return time.monotonic() - begun_at


def check_kept(shop: Shop, filler: Filler) -> str:
    """All that was acknowledged, and of the rest whole batches or nothing."""
    kept = Counter(
        int(said.split("-")[0])
        for said in shop.query("SELECT message_id FROM crm_event WHERE name = 'Seen'")
    )
    acknowledged = {number for number, taken in filler.sent.items() if taken}
    assert acknowledged <= set(kept)
    assert set(kept.values()) == {ITEMS}
    assert shop.query("SELECT count(*) FROM notifications_delivery") == [0]
    return f"{filler.count_acknowledged()} acknowledged, {kept.total()} recovered"


def check_campaign(shop: Shop) -> None:
    """What could not be planned is planned whole, once there is room."""
    done = shop.manage("shell", "--no-imports", "-c", LAUNCH)
    assert done.returncode == 0, done.stderr
    people = "SELECT count(*) FROM crm_contact WHERE canonical_id IS NULL"
    assert shop.query("SELECT count(*) FROM notifications_delivery") == shop.query(
        people
    )
