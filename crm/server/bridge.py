"""The WSGI application behind an ASGI server: body first, thread then.

Our code is WSGI, since Django's own ASGI costs several times as much per event. A WSGI
server however spends a thread on each request whose body is still on its way, and a
few clients that send half of one stop it. Here bodies are read on the event loop, and
only a whole request gets one of the few threads.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from crm.server.body import (
    BodyFault,
    ClientGone,
    Receive,
    discard_body,
    find_length,
    read_body,
)
from crm.server.environ import build_environ

Scope = Mapping[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[..., Iterable[bytes]]


# An answer larger than this waits on disk until its reader has taken it.
MEMORY_MAX_BYTES = 1_000_000
BLOCK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is open for reading, and is closed once it is sent."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: IO[bytes]


@dataclass(slots=True)
class WholeRequests:
    """ASGI application. `find_limit` says how many bytes a path may be sent."""

    application: Application
    threads: int
    wait_s: float
    find_limit: Callable[[str], int]
    proxies: int = 0
    pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self.pool = ThreadPoolExecutor(self.threads, thread_name_prefix="web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served, not {scope['type']}")
        try:
            answer = await self.answer_request(scope, receive)
        except BodyFault as fault:
            if fault.status == 413:
                await discard_body(receive, wait_s=self.wait_s)
            answer = build_refusal(fault)
        except ClientGone:
            return
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": answer.headers,
            }
        )
        with answer.body as body:
            await send_blocks(body, send)

    async def answer_request(self, scope: Scope, receive: Receive) -> Answer:
        limit = self.find_limit(scope["path"])
        if find_length(dict(scope["headers"]), limit) is None:
            return await self.run(scope, io.BytesIO())
        with await read_body(receive, limit=limit, wait_s=self.wait_s) as body:
            return await self.run(scope, body)

    async def run(self, scope: Scope, body: IO[bytes]) -> Answer:
        environ = build_environ(scope, body, proxies=self.proxies)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self.pool, call_application, self.application, environ
        )


def call_application(application: Application, environ: dict[str, Any]) -> Answer:
    """In a thread of the pool. The answer is built whole, a large one on disk, so that
    a client that reads slowly holds no thread; nothing of ours streams without end."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    with ExitStack() as unsent:
        body = unsent.enter_context(SpooledTemporaryFile(MEMORY_MAX_BYTES))

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], int]:
            begun[:] = [(status, headers)]
            return body.write

        chunks = application(environ, start_response)
        try:
            for chunk in chunks:
                body.write(chunk)
        finally:
            getattr(chunks, "close", lambda: None)()
        body.seek(0)
        unsent.pop_all()
    status, headers = begun[0]
    return Answer(int(status[:3]), [_encode(*pair) for pair in headers], body)


async def send_blocks(body: IO[bytes], send: Send) -> None:
    """The body in one message where it is small, else block after block."""
    block = body.read(BLOCK_BYTES)
    while True:
        following = body.read(BLOCK_BYTES) if len(block) == BLOCK_BYTES else b""
        message = {"type": "http.response.body", "body": block}
        await send({**message, "more_body": bool(following)})
        if not following:
            return
        block = following


def _encode(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


def build_refusal(fault: BodyFault) -> Answer:
    """In the API's error shape, which also a person can read. The connection ends:
    what is left of the body would be taken for the next request."""
    message = str(fault)
    said = {"code": fault.code, "path": "", "message": message, "detail": message}
    body = json.dumps(said).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        (b"x-content-type-options", b"nosniff"),
    ]
    return Answer(fault.status, headers, io.BytesIO(body))
