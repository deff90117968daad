"""Bodies are whole, in time and within limits before anything is done with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from crm.server.body import (
    MEMORY_BYTES,
    BodyFault,
    ClientGone,
    discard_body,
    find_length,
    read_body,
)

LIMIT = 200_000


def send_chunks(
    *chunks: bytes, pause_s: float = 0, is_cut: bool = False
) -> Callable[[], Awaitable[dict[str, Any]]]:
    """A `receive` that gives these chunks, then hangs up (`is_cut`) or is silent."""
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause_s)
        if not left:
            if is_cut:
                return {"type": "http.disconnect"}
            await asyncio.sleep(60)
        body = left.pop(0)
        more = bool(left) or is_cut
        return {"type": "http.request", "body": body, "more_body": more}

    return receive


def read(receive: Any, *, wait_s: float = 5) -> bytes:
    async def run() -> bytes:
        with await read_body(receive, limit=LIMIT, wait_s=wait_s) as body:
            return body.read()

    return asyncio.run(run())


@pytest.mark.parametrize("size", [1, MEMORY_BYTES, MEMORY_BYTES + 1, LIMIT])
def test_a_body_is_read_whole_in_memory_or_on_disk(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)

    assert read(send_chunks(body[: size // 2], body[size // 2 : size])) == body[:size]


def test_a_body_that_stops_coming_ends_with_408() -> None:
    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(BodyFault) as caught:
        read(drip, wait_s=0.2)

    assert (caught.value.status, caught.value.code) == (408, "timeout")


def test_a_slow_line_that_keeps_its_pace_gets_through() -> None:
    chunks = [b"x" * 8_000] * 8

    # 0.4 s in all: more than the wait, at more than the least pace.
    assert len(read(send_chunks(*chunks, pause_s=0.05), wait_s=0.2)) == 64_000


def test_more_than_the_limit_is_refused_without_a_length_too() -> None:
    with pytest.raises(BodyFault) as caught:
        read(send_chunks(b"x" * LIMIT, b"x", b"x"))

    assert caught.value.status == 413


def test_a_client_that_left_gets_no_answer() -> None:
    with pytest.raises(ClientGone):
        read(send_chunks(b"half", is_cut=True))


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({}, None),
        ({b"content-length": b"0"}, None),
        ({b"content-length": b"12"}, 12),
        ({b"content-length": str(LIMIT).encode()}, LIMIT),
    ],
)
def test_the_length_is_what_the_client_says(
    headers: dict[bytes, bytes], length: int | None
) -> None:
    assert find_length(headers, LIMIT) == length


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({b"transfer-encoding": b"chunked"}, 411),
        ({b"content-length": str(LIMIT + 1).encode()}, 413),
        ({b"content-length": b"-1"}, 400),
        ({b"content-length": b"many"}, 400),
    ],
)
def test_a_body_without_an_end_in_sight_is_refused(
    headers: dict[bytes, bytes], status: int
) -> None:
    with pytest.raises(BodyFault) as caught:
        find_length(headers, LIMIT)

    assert caught.value.status == status


def test_what_is_thrown_away_is_waited_for_no_longer_than_a_body() -> None:
    async def run() -> float:
        loop = asyncio.get_running_loop()
        begun_at = loop.time()
        await discard_body(send_chunks(b"x", is_cut=True, pause_s=0.4), wait_s=0.2)
        return loop.time() - begun_at

    assert asyncio.run(run()) < 0.4
