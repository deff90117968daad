"""A road that loses things: cuts requests, drops answers, lets some through."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CUT, DROPPED, PASSED = "cut before the site", "answer dropped", "passed"
FATES = (CUT, DROPPED, PASSED)
# By the first message id in it a batch is known again, whatever a wire calls it.
MESSAGE = re.compile(rb'"(?:messageId|uuid|id)": *"([^"]+)"')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
WAIT_S = 20


class LossyProxy:
    """Each batch is cut at first, then taken in but not answered, then passed.

    `fates` counts them. A connection carries one request. With `tls` clients come by
    https; the site behind is asked in plain.
    """

    def __init__(self, upstream: int, tls: ssl.SSLContext | None = None) -> None:
        self._upstream, self._tls = upstream, tls
        self._tries: Counter[bytes] = Counter()
        self._lock = threading.Lock()
        self.fates: Counter[str] = Counter()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(
                    target=self._serve, args=(client,), daemon=True
                ).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), self._greet(client) as client:
            request = read_message(client)
            if not request:
                return
            fate = self._choose_fate(request)
            if fate == CUT:
                return
            with socket.create_connection(
                ("127.0.0.1", self._upstream), timeout=WAIT_S
            ) as site:
                site.sendall(request)
                answer = read_message(site)
            if fate == PASSED:
                client.sendall(answer)

    def _greet(self, client: socket.socket) -> socket.socket:
        client.settimeout(WAIT_S)
        if self._tls is None:
            return client
        return self._tls.wrap_socket(client, server_side=True)

    def _choose_fate(self, request: bytes) -> str:
        found = MESSAGE.search(request)
        batch = found[1] if found else b""
        with self._lock:
            fate = FATES[min(self._tries[batch], len(FATES) - 1)]
            self._tries[batch] += 1
            self.fates[fate] += 1
        return fate

    def close(self) -> None:
        self._server.close()


def read_message(peer: socket.socket) -> bytes:
    """One request or answer with its body, b'' where the peer has no more."""
    said = b""
    while b"\r\n\r\n" not in said:
        piece = peer.recv(65_536)
        if not piece:
            return b""
        said += piece
    head, _, body = said.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0:
        piece = peer.recv(65_536)
        if not piece:
            break
        said += piece
        missing -= len(piece)
    return said


@contextmanager
def run_lossy_proxy(
    upstream: int, tls: ssl.SSLContext | None = None
) -> Iterator[LossyProxy]:
    proxy = LossyProxy(upstream, tls)
    try:
        yield proxy
    finally:
        proxy.close()
