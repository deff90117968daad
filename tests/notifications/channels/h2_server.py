"""An independent FCM stand-in over TLS and HTTP/2, on the `h2` library."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError


@dataclass
class H2Server:
    """Answers every POST with a name, but for tokens that ask for a fault."""

    certificate: Path
    posts: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> H2Server:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.certificate)
        self._tls.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        # Wakes the accepting thread, which would keep the port open.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                raw, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        self.connections += 1
        try:
            with self._tls.wrap_socket(raw, server_side=True) as connection:
                self._talk(connection)
        except (OSError, ProtocolError):
            return

    def _talk(self, connection: ssl.SSLSocket) -> None:
        h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        h2.initiate_connection()
        connection.sendall(h2.data_to_send())
        bodies: dict[int, bytes] = {}
        while data := connection.recv(65_536):
            for event in h2.receive_data(data):
                if isinstance(event, RequestReceived):
                    bodies[event.stream_id] = b""
                    self.headers.append(dict(event.headers))
                elif isinstance(event, DataReceived):
                    bodies[event.stream_id] += event.data
                    length = event.flow_controlled_length
                    h2.acknowledge_received_data(length, event.stream_id)
                elif isinstance(event, StreamEnded):
                    self._answer(h2, event.stream_id, bodies.pop(event.stream_id))
            connection.sendall(h2.data_to_send())

    def _answer(self, h2: H2Connection, stream: int, body: bytes) -> None:
        self.posts.append(body)
        if b"-refuse-" in body:
            h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
        elif b"-goaway-" in body:
            h2.close_connection(last_stream_id=max(0, stream - 2))
        elif b"-die-" in body:
            raise OSError("the connection ends here")
        elif b"-silent-" not in body:
            answer = json.dumps({"name": f"projects/p/messages/{stream}"}).encode()
            h2.send_headers(stream, [(":status", "200")])
            h2.send_data(stream, answer, end_stream=True)
