"""Bodies of requests, read to the end without a thread waiting for them.

A body has `wait_s` seconds, and one more for each `MIN_BYTES_PER_S` that came: slow
lines get through, a client that sends nothing does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO, Any

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

# A poor mobile line; slower than this, 500 KB would take half a minute.
MIN_BYTES_PER_S = 16_000
# What is longer waits on disk for its end: many slow clients must not fill the memory.
MEMORY_BYTES = 64 * 1024


class BodyFault(Exception):
    """The request is answered without the application."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ClientGone(Exception):
    """Nobody is left to answer."""


def find_length(headers: Mapping[bytes, bytes], limit: int) -> int | None:
    """Bytes the body has, None where none follows. Raises BodyFault 400, 411
    or 413.

    Chunks are refused: they may never end, and WSGI knows only lengths.
    """
    if b"transfer-encoding" in headers:
        raise BodyFault(411, "length_required", "Send Content-Length, not chunks.")
    said = headers.get(b"content-length", b"0")
    if not said.isdigit():
        raise BodyFault(400, "bad_request", "Content-Length is not a number.")
    length = int(said)
    if length > limit:
        raise too_large(limit)
    return length or None


def too_large(limit: int) -> BodyFault:
    message = f"The body is larger than {limit} bytes."
    return BodyFault(413, "body_too_large", message)


async def read_body(receive: Receive, *, limit: int, wait_s: float) -> IO[bytes]:
    """The whole body as a file, at its start. Raises BodyFault or ClientGone."""
    with ExitStack() as on_fault:
        body = on_fault.enter_context(SpooledTemporaryFile(MEMORY_BYTES))
        try:
            async with asyncio.timeout(wait_s) as patience:
                await fill_body(body, receive, limit=limit, patience=patience)
        except TimeoutError as error:
            raise BodyFault(408, "timeout", "The body came too slowly.") from error
        on_fault.pop_all()
    body.seek(0)
    return body


async def fill_body(
    body: IO[bytes], receive: Receive, *, limit: int, patience: asyncio.Timeout
) -> None:
    """Each chunk that comes buys the next ones time."""
    first_deadline = patience.when() or 0
    size, is_last = 0, False
    while not is_last:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        size += body.write(message.get("body", b""))
        if size > limit:
            raise too_large(limit)
        is_last = not message.get("more_body")
        patience.reschedule(first_deadline + size / MIN_BYTES_PER_S)


async def discard_body(receive: Receive, *, wait_s: float) -> None:
    """Read and forget: most clients look for an answer only after their last byte."""
    try:
        async with asyncio.timeout(wait_s):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        return
