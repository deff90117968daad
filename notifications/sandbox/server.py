"""The sandbox's server: FCM v1 and OAuth over HTTP/1.1, in one lean protocol.

Order of work for a message: check it, write it to the log, then answer. So an
answer of 200 always has its line, and a line without an answer is exactly what a
broken network leaves behind.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

from notifications.sandbox import oauth, replies
from notifications.sandbox.log import SandboxLog
from notifications.sandbox.replies import Manner, Refusal
from notifications.sandbox.schema import Message, SchemaError, read_request

SLOW_S = 2.0
HEAD_MAX_BYTES = 16_384
BODY_MAX_BYTES = 65_536
SEND_PATH = re.compile(r"/v1/projects/([A-Za-z0-9.:\-]{1,100})/messages:send")
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,9})\r\n", re.IGNORECASE)
BEARER = re.compile(
    rb"\r\nauthorization: *Bearer " + re.escape(oauth.TOKEN_PREFIX).encode(),
    re.IGNORECASE,
)
CLOSE = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)


@dataclass(slots=True)
class Sandbox:
    """What all connections share."""

    log: SandboxLog
    # Names stay unique over restarts: they begin with the start's time.
    prefix: str = field(default_factory=lambda: f"{time.time_ns():x}")
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def accept(self, project: str, message: Message, request: bytes) -> str:
        """Log an accepted message and return its name."""
        number = next(self.numbers)
        name = f"projects/{project}/messages/{self.prefix}-{number}"
        self.log.append(
            at=time.time(),
            project=project,
            name=name,
            address=get_address(message),
            request=request,
        )
        return name


def get_address(message: Message) -> str:
    return message.fid or message.token or message.topic or message.condition or ""


class SandboxProtocol(asyncio.Protocol):
    """One connection: requests in, answers out, in order."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._buffer = bytearray()
        # A late or missing answer holds back the requests behind it.
        self._held = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._serve_buffered()

    def _serve_buffered(self) -> None:
        while not self._held and not self._transport.is_closing():
            head_end = self._buffer.find(b"\r\n\r\n")
            if head_end < 0:
                if len(self._buffer) > HEAD_MAX_BYTES:
                    self._refuse_and_close(replies.TOO_LARGE)
                return
            head = bytes(self._buffer[: head_end + 2])
            length = CONTENT_LENGTH.search(head)
            body_end = head_end + 4 + (int(length[1]) if length else 0)
            if body_end - head_end > BODY_MAX_BYTES or CHUNKED.search(head):
                self._refuse_and_close(replies.TOO_LARGE)
                return
            if len(self._buffer) < body_end:
                return
            body = bytes(self._buffer[head_end + 4 : body_end])
            del self._buffer[:body_end]
            self._serve_request(head, body)
            if CLOSE.search(head) and not self._held:
                self._transport.close()

    def _serve_request(self, head: bytes, body: bytes) -> None:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].decode("latin-1")
        send = SEND_PATH.fullmatch(path) if method == b"POST" else None
        if send is not None:
            self._serve_send(send[1], head, body)
        elif method == b"POST" and path == "/token":
            self._answer(*oauth.grant_token(body))
        elif method == b"GET" and path == "/healthz":
            self._answer(200, b'{"status": "ok"}')
        else:
            self._refuse(replies.NOT_FOUND)

    def _serve_send(self, project: str, head: bytes, body: bytes) -> None:
        if not BEARER.search(head):
            self._refuse(replies.UNAUTHENTICATED)
            return
        try:
            request = read_request(body)
        except SchemaError as error:
            self._refuse(replies.refuse_schema(error))
            return
        address = get_address(request.message)
        refusal = replies.find_refusal(address)
        if refusal is not None:
            self._refuse(refusal)
        elif request.validate_only:
            name = f"projects/{project}/messages/fake_message_id"
            self._answer(200, b'{"name": "%s"}' % name.encode())
        else:
            self._accept(project, request.message, body)

    def _accept(self, project: str, message: Message, body: bytes) -> None:
        try:
            name = self._sandbox.accept(project, message, body)
        except OSError:
            self._refuse(replies.LOG_FAILED)
            return
        answer = b'{"name": "%s"}' % name.encode()
        match replies.find_manner(get_address(message)):
            case Manner.ANSWER:
                self._answer(200, answer)
            case Manner.SLOW:
                self._held = True
                loop = asyncio.get_running_loop()
                loop.call_later(SLOW_S, self._answer_late, answer)
            case Manner.SILENT:
                self._held = True
            case Manner.RESET:
                self._reset()

    def _answer_late(self, body: bytes) -> None:
        if self._transport.is_closing():
            return
        self._held = False
        self._answer(200, body)
        self._serve_buffered()

    def _reset(self) -> None:
        """Close so that the other side sees RST, not a polite end."""
        connection: socket.socket = self._transport.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def _refuse_and_close(self, refusal: Refusal) -> None:
        self._refuse(refusal)
        self._transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        self._answer(refusal.status, refusal.body, refusal.headers)

    def _answer(self, status: int, body: bytes, headers: str = "") -> None:
        head = (
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Error'}\r\n"
            f"Content-Type: application/json; charset=UTF-8\r\n"
            f"{headers}Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


async def serve_sandbox(port: int, log_path: Path) -> asyncio.Server:
    """Listen on loopback; the caller keeps the server running."""
    sandbox = Sandbox(SandboxLog(log_path))
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: SandboxProtocol(sandbox), "127.0.0.1", port, backlog=512
    )
