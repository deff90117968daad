"""A loopback FCM and OAuth server that misbehaves on request and counts POSTs."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

OK_BODY = json.dumps({"name": "projects/p/messages/1"}).encode()

# Takes the connection and the body just read; answers whether to keep it open.
Behaviour = Callable[[socket.socket, bytes], bool]


def encode_http(
    status: int, body: bytes, headers: dict[str, str] | None = None
) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None
) -> Behaviour:
    def behave(connection: socket.socket, _body: bytes) -> bool:
        connection.sendall(encode_http(status, body, headers))
        return True

    return behave


def answer_error(
    status: int,
    code: str,
    message: str = "Something is wrong.",
    *,
    fcm: str = "",
    fields: tuple[str, ...] = (),
    headers: dict[str, str] | None = None,
) -> Behaviour:
    """Google's error body."""
    details: list[dict[str, Any]] = []
    if fcm:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        details.append({"@type": kind, "errorCode": fcm})
    if fields:
        kind = "type.googleapis.com/google.rpc.BadRequest"
        violations = [{"field": field, "description": "Invalid"} for field in fields]
        details.append({"@type": kind, "fieldViolations": violations})
    error = {"code": status, "message": message, "status": code, "details": details}
    return answer(status, json.dumps({"error": error}).encode(), headers)


def truncate(connection: socket.socket, _body: bytes) -> bool:
    connection.sendall(encode_http(200, OK_BODY)[:-5])
    return False


def drip(connection: socket.socket, _body: bytes) -> bool:
    """One byte of the answer's body at a time, for as long as anyone listens."""
    head, body = encode_http(200, OK_BODY * 200).split(b"\r\n\r\n", 1)
    connection.sendall(head + b"\r\n\r\n")
    for byte in body:
        try:
            connection.sendall(bytes([byte]))
        except OSError:
            break
        time.sleep(0.05)
    return False


def stay_silent(connection: socket.socket, _body: bytes) -> bool:
    connection.settimeout(10)
    connection.recv(1)
    return False


def reset(connection: socket.socket, _body: bytes) -> bool:
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    return False


def hang_up(_connection: socket.socket, _body: bytes) -> bool:
    return False


@dataclass
class FaultServer:
    """Behaves as told on `/v1/…:send`; gives tokens on `/token`."""

    behaviour: Behaviour = answer(200, OK_BODY)
    token_behaviour: Behaviour = answer(
        200, b'{"access_token": "good", "expires_in": 3600, "token_type": "Bearer"}'
    )
    tls: ssl.SSLContext | None = None
    posts: list[bytes] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    token_posts: list[bytes] = field(default_factory=list)
    # Requests to anywhere else: what a followed redirect would leave.
    strays: list[str] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> FaultServer:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        # Wakes the accepting thread, which would keep the port open.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(
                target=self._serve, args=(connection,), daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        self.connections += 1
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                stream = connection.makefile("rb")
                while self._serve_one(connection, stream):
                    pass
                stream.close()
        except OSError:
            return

    def _serve_one(self, connection: socket.socket, stream: Any) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return False
            head += line
        text = head.decode("latin-1")
        length = 0
        for line in text.lower().split("\r\n"):
            if line.startswith("content-length:"):
                length = int(line.split(":")[1])
        body = stream.read(length)
        with self._lock:
            behave = self._record(text, body)
        return behave(connection, body)

    def _record(self, head: str, body: bytes) -> Behaviour:
        method, path, _rest = head.split(" ", 2)
        if method == "POST" and path == "/token":
            self.token_posts.append(body)
            return self.token_behaviour
        if method == "POST" and path.endswith("/messages:send"):
            self.posts.append(body)
            self.heads.append(head)
            return self.behaviour
        self.strays.append(f"{method} {path}")
        return answer(200, OK_BODY)
