"""From a trigger event's request to its POST, in the processes that `up` runs.

    python tests/bench/trigger.py [--scale small|full] [--json]

Events are posted to `/v1/track` at a steady rate, one per person, and each starts
one message. The latency begins when the request is due to start, so that a slow
answer is not hidden by the requests behind it, and ends at the sandbox log's `at`.
Web (granian), Celery worker, beat and sandbox are processes of their own, the
queue is PGMQ. Every event must have its one message in the end.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from common import (  # noqa: E402
    Figures,
    fill_shop,
    find_free_port,
    open_scratch,
    run_bench,
    write_push,
)

# Events a second, seconds.
SCALES = {"small": (20, 30), "full": (50, 120)}
# Sent one by one beforehand, until worker and web have loaded all they need.
WARM_UP = 20
CLIENTS = 16
WAIT_S = 60.0
EVENT = "Product Added"
TEXT = {
    "title": "Still thinking about it, {{ customer.first_name | default: 'there' }}?",
    "body": "{{ catalog.products[event.product_id].name }} waits in your cart.",
    "link": "myapp://cart",
    "sound": "default",
}


def measure_trigger(scale: tuple[int, int]) -> Figures:
    rate, lasting_s = scale
    web, sandbox = find_free_port(), find_free_port()
    with open_scratch(
        BROKER_URL="pgmq://",
        SANDBOX="1",
        SANDBOX_URL=f"http://127.0.0.1:{sandbox}",
        SITE_URL=f"http://127.0.0.1:{web}",
    ) as folder:
        from crm.keys import issue_api_key
        from notifications.campaigns.launch import launch_campaign
        from notifications.demo.world import World

        count = rate * lasting_s
        fill_shop(count + WARM_UP)
        campaign = write_push("Cart", text=TEXT, kind="event", trigger_event=EVENT)
        launch_campaign(campaign, by="bench")
        _, key = issue_api_key(name="bench", scopes=["track"], actor="bench")
        log = folder / "sandbox.jsonl"
        with World(log_dir=folder) as world:
            world.start_sandbox(sandbox, log)
            world.start_web(web)
            world.start_worker()
            beat = ["celery", "-A", "crm.celery", "beat", "--loglevel", "WARNING"]
            world.start("beat", [*beat, "--pidfile", ""], LOAD_ADMIN="0")
            warm_up(web, key, log)
            begun_at = post_steadily(web, key, count=count, rate=rate)
            arrived_at = wait_for_posts(log, count + WARM_UP)
    return describe_latencies(
        sorted(arrived_at[number] - at for number, at in begun_at.items())
    )


def warm_up(port: int, key: str, log: Path) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for number in range(1, WARM_UP + 1):
        post_event(client, key, number)
        wait_for_posts(log, number)


def post_event(client: http.client.HTTPConnection, key: str, number: int) -> None:
    event = {
        "messageId": f"bench-cart-{number}",
        "userId": f"bench-{number}",
        "event": EVENT,
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {"product_id": f"sku-{number % 500}", "price": 20},
    }
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    client.request("POST", "/v1/track", json.dumps(event), headers)
    answer = client.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {said!r}")


def post_steadily(port: int, key: str, *, count: int, rate: int) -> dict[int, float]:
    """Post the events at their instants; answers those by the person's number."""
    begins_at = time.time() + 0.5
    due_at = {WARM_UP + 1 + n: begins_at + n / rate for n in range(count)}
    waiting: Iterator[tuple[int, float]] = iter(list(due_at.items()))
    lock = threading.Lock()

    def work() -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                number, at = next(waiting, (0, 0.0))
            if not number:
                return
            time.sleep(max(at - time.time(), 0))
            post_event(client, key, number)

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return due_at


def wait_for_posts(log: Path, count: int) -> dict[int, float]:
    """When each person's message reached the sandbox; all of them, each once."""
    ends_s = time.monotonic() + WAIT_S
    while True:
        lines = log.read_bytes().splitlines() if log.exists() else []
        if len(lines) >= count:
            break
        if time.monotonic() > ends_s:
            left = describe_left()
            raise SystemExit(f"{len(lines)} of {count} messages arrived: {left}")
        time.sleep(0.02 if count <= WARM_UP else 0.5)
    entries = [json.loads(line) for line in lines]
    arrived_at = {
        int(entry["address"].split(":")[0].removeprefix("bench-")): entry["at"]
        for entry in entries
    }
    if len(entries) != count or len(arrived_at) != count:
        raise SystemExit(f"{len(entries)} messages to {len(arrived_at)} of {count}")
    return arrived_at


def describe_left() -> str:
    from crm.models import PendingEvent
    from notifications.models import Delivery

    unsent = Delivery.objects.exclude(state="sent")
    ends = sorted(set(unsent.values_list("state", "reason", "detail")))
    return f"{PendingEvent.objects.count()} events pending, unsent rows {ends}"


def describe_latencies(latencies_s: list[float]) -> Figures:
    count = len(latencies_s)
    return {
        "events": count,
        "trigger_p50_s": round(latencies_s[count // 2], 3),
        "trigger_p99_s": round(latencies_s[count * 99 // 100], 3),
        "trigger_max_s": round(latencies_s[-1], 3),
    }


if __name__ == "__main__":
    run_bench(__doc__, SCALES, measure_trigger)
