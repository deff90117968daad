"""The delivery engine: plan, claim, and gate + send to the sandbox.

    python tests/bench/delivery.py [--scale small|full] [--json]

`plan_100k_s` (and `plan_1m_s` at full scale): one broadcast, one row per person.
`claim_per_s`: rows leased and loaded over one connection, 500 at a time, as the
floor was measured; `claim_batch_per_s` the same by the engine's own batch.
`engine_per_s_1` and `_2`: claim to finish by one and two processes of
`notifications.delivery.send`, the sandbox a process of its own; all of it, and
PostgreSQL, shares the machine's cores. Every row must end as sent and stand once
in the sandbox's log. `stages_ms` is what one batch of one process spends where.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from common import (  # noqa: E402
    ROOT,
    Figures,
    fill_shop,
    find_free_port,
    load_django,
    open_scratch,
    run_bench,
    write_push,
)

if TYPE_CHECKING:
    from notifications.models import Campaign

# People, seconds that each engine run lasts.
SCALES = {"small": (100_000, 10), "full": (1_000_000, 60)}
CLAIM_ROWS = 500
CLAIMED = 20_000
STAGES = (
    "claim_deliveries",
    "take_tokens",
    "route_deliveries",
    "render_deliveries",
    "pass_gate",
    "post_messages",
    "finish_deliveries",
)
PROFILED_S = 5.0


def measure_delivery(scale: tuple[int, int]) -> Figures:
    people, lasting_s = scale
    port = find_free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with open_scratch(SANDBOX="1", SANDBOX_URL=endpoint) as folder:
        from django.conf import settings

        from notifications.demo.world import World

        fill_shop(people)
        figures: Figures = {"batch": settings.DELIVERY_BATCH}
        for name, rows in list_plans(people).items():
            figures[name] = round(time_plan(rows), 2)
        figures["claim_per_s"] = time_claims(CLAIM_ROWS)
        figures["claim_batch_per_s"] = time_claims(settings.DELIVERY_BATCH)
        empty_deliveries()
        plan_rows(people)
        log = folder / "sandbox.jsonl"
        with World(log_dir=folder) as world:
            world.start_sandbox(port, log)
            for processes in (1, 2):
                figures |= run_engine(processes, lasting_s=lasting_s)
            figures |= profile_stages()
        figures["sent"] = check_log(log)
    return figures


def list_plans(people: int) -> dict[str, int]:
    plans = {"plan_100k_s": 100_000}
    return plans | ({"plan_1m_s": people} if people > 100_000 else {})


def time_plan(rows: int) -> float:
    """Seconds to write so many rows into the empty table, indexes and all."""
    empty_deliveries()
    begun_s = time.perf_counter()
    planned = plan_rows(rows)
    took_s = time.perf_counter() - begun_s
    if planned != rows:
        raise SystemExit(f"{planned} of {rows} rows were planned")
    return took_s


def plan_rows(rows: int) -> int:
    """A new broadcast to the first so many people, due now."""
    from crm.clock import read_clock
    from notifications.campaigns.audience import build_audience
    from notifications.delivery.plan import Audience, plan_deliveries

    version = start_campaign(f"News {time.time_ns()}").current_version
    assert version is not None
    everybody = build_audience(version, occurrence="", due=read_clock())
    some = f"SELECT * FROM ({everybody.sql}) everybody WHERE contact_id <= %s"
    return plan_deliveries(version, Audience(some, (*everybody.params, rows)))


def start_campaign(name: str) -> Campaign:
    from crm.clock import read_clock

    campaign = write_push(name)
    campaign.schedule(at=read_clock(), by=None, next_run_at=None)
    return campaign


def empty_deliveries() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE notifications_delivery CASCADE")


def time_claims(size: int) -> int:
    """Rows a second that one connection leases and loads, `size` at a time."""
    from notifications.delivery.claim import claim_deliveries
    from notifications.models import Sender

    empty_deliveries()
    plan_rows(CLAIMED)
    [sender] = Sender.objects.all()
    claimed, begun_s = 0, time.perf_counter()
    while rows := claim_deliveries(sender, limit=size).deliveries:
        claimed += len(rows)
    took_s = time.perf_counter() - begun_s
    if claimed != CLAIMED:
        raise SystemExit(f"{claimed} of {CLAIMED} rows were claimed")
    return round(claimed / took_s)


def run_engine(processes: int, *, lasting_s: float) -> Figures:
    """Rows a second that so many sending processes bring to their end together."""
    workers = [start_worker(lasting_s) for _ in range(processes)]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    answers = []
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        text, _ = worker.communicate(timeout=lasting_s + 120)
        answers.append(json.loads(text))
    rows = sum(answer["rows"] for answer in answers)
    cpu_s = sum(answer["cpu_s"] for answer in answers)
    return {
        f"engine_per_s_{processes}": round(
            rows / max(answer["took_s"] for answer in answers)
        ),
        f"engine_cpu_s_per_1000_{processes}": round(cpu_s / rows * 1000, 2),
    }


def start_worker(lasting_s: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, "--send-for", str(lasting_s)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def send_for(lasting_s: float) -> None:
    """What a started worker does: one round to get warm, a line, then the work."""
    load_django()
    from notifications.delivery.send import send_due

    send_due(budget_s=0)
    print("ready", flush=True)
    sys.stdin.readline()
    begun_s, cpu_s = time.perf_counter(), time.process_time()
    rows = send_due(budget_s=lasting_s)
    took_s = time.perf_counter() - begun_s
    answer = {"rows": rows, "took_s": took_s, "cpu_s": time.process_time() - cpu_s}
    print(json.dumps(answer))


def profile_stages() -> Figures:
    """Mean milliseconds of each stage of a batch, and its queries; one process."""
    from django.db import connection

    from notifications.delivery import send

    send.send_due(budget_s=0)
    spent_s: dict[str, float] = defaultdict(float)
    queries = 0

    def count(execute: Any, *arguments: Any) -> Any:
        nonlocal queries
        queries += 1
        return execute(*arguments)

    whole = {name: getattr(send, name) for name in STAGES}
    for name, stage in whole.items():
        setattr(send, name, time_stage(stage, name, spent_s))
    begun_s = time.perf_counter()
    with connection.execute_wrapper(count):
        rows = send.send_due(budget_s=PROFILED_S)
    took_s = time.perf_counter() - begun_s
    for name, stage in whole.items():
        setattr(send, name, stage)
    batches = rows / send.settings.DELIVERY_BATCH
    spent_s["post_messages"] -= spent_s["finish_deliveries"]
    stages = {
        name.split("_")[1 if name == "pass_gate" else 0]: spent_s[name]
        for name in STAGES
    }
    stages["other"] = took_s - sum(stages.values())
    return {
        "stages_ms": {
            name: round(seconds / batches * 1e3, 2) for name, seconds in stages.items()
        },
        "queries_per_batch": round(queries / batches, 1),
    }


def time_stage(
    stage: Callable[..., Any], name: str, spent_s: dict[str, float]
) -> Callable[..., Any]:
    def timed(*arguments: Any, **named: Any) -> Any:
        begun_s = time.perf_counter()
        try:
            return stage(*arguments, **named)
        finally:
            spent_s[name] += time.perf_counter() - begun_s

    return timed


def check_log(log: Path) -> int:
    """Messages in the sandbox's log; every row taken must be there once."""
    from notifications.models import Delivery

    with log.open("rb") as lines:
        arrived = [json.loads(line)["address"] for line in lines]
    ended = Delivery.objects.exclude(state="pending")
    sent = ended.filter(state="sent").count()
    others = sorted(set(ended.exclude(state="sent").values_list("state", "reason")))
    if others or len(arrived) != sent or len(set(arrived)) != sent:
        raise SystemExit(f"{len(arrived)} posts, {sent} sent, others: {others}")
    return sent


if __name__ == "__main__":
    if sys.argv[1:2] == ["--send-for"]:
        send_for(float(sys.argv[2]))
    else:
        os.environ.setdefault("SITE_URL", "http://127.0.0.1:8000")
        run_bench(__doc__, SCALES, measure_delivery)
