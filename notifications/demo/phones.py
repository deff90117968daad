"""`python -m notifications.demo.phones`: the people who hold the phones.

A process of its own without Django, as an app would be: it reads what the sandbox
accepted, and reports on it through the signed endpoint named in the message. Who
opens, clicks and buys is a hash of the message, made up and the same every time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from notifications.demo.sample import draw

# Shares of those who received it.
OPENED, CLICKED, DISMISSED, BOUGHT = 0.32, 0.12, 0.15, 0.06
POLL_S = 0.1
# People who tap at the same time.
HANDS = 4


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m notifications.demo.phones")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--site", required=True, help="where purchases are tracked")
    parser.add_argument("--key", required=True, help="an API key with scope track")
    options = parser.parse_args()
    seen: set[str] = set()
    with (
        httpx.Client(timeout=10, auth=(options.key, "")) as client,
        ThreadPoolExecutor(HANDS) as hands,
    ):
        for message in follow_log(options.log):
            delivery_id = message["data"]["delivery_id"]
            if delivery_id not in seen:
                seen.add(delivery_id)
                hands.submit(react, client, message, site=options.site)
    return 0


def follow_log(path: Path) -> Iterator[dict[str, Any]]:
    """Messages as they are accepted, for ever."""
    position = 0
    while True:
        if path.exists():
            with path.open("rb") as log:
                log.seek(position)
                for line in log:
                    if not line.endswith(b"\n"):
                        break
                    position += len(line)
                    yield json.loads(line)["request"]["message"]
        time.sleep(POLL_S)


def react(client: httpx.Client, message: dict[str, Any], *, site: str) -> None:
    """Delivered always; opened, clicked or dismissed by lot; some then buy."""
    data = message["data"]
    lot = draw("reaction", data["delivery_id"])
    kinds = ["delivered"]
    if lot < OPENED:
        kinds.append("clicked" if lot < CLICKED else "opened")
    elif lot < OPENED + DISMISSED:
        kinds.append("dismissed")
    now = datetime.now(UTC).isoformat()
    reports = [
        {"event": kind, "client_id": f"phone-{message_token(message)}", "at": now}
        for kind in kinds
    ]
    answer = client.post(
        data["apropos_url"], json={"token": data["apropos_token"], "events": reports}
    )
    answer.raise_for_status()
    if lot < BOUGHT:
        buy(client, message, site=site)


def buy(client: httpx.Client, message: dict[str, Any], *, site: str) -> None:
    data = message["data"]
    price = 20 + int(draw("price", data["delivery_id"]) * 80)
    client.post(
        f"{site}/v1/track",
        json={
            "userId": message_token(message).split("-")[1],
            "event": "Order Completed",
            "messageId": f"phone-order-{data['delivery_id']}",
            "properties": {
                "order_id": f"made-up-{data['delivery_id'][-12:]}",
                "total": price,
                "currency": "GBP",
            },
        },
    ).raise_for_status()


def message_token(message: dict[str, Any]) -> str:
    return str(message.get("token") or message.get("fid"))


if __name__ == "__main__":
    sys.exit(main())
