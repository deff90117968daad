"""Messages a second from one process: our transport against the SDK's own ways.

    python tests/bench/transport.py [--scale small|full] [--json]

Encode + POST + classify, over loopback TLS + HTTP/2 (Node's server, as neutral as
can be had) and against the sandbox over plain HTTP/1.1. The server shares the
machine's cores. `send_each` speaks HTTP/1.1 to the same server.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from notifications.channels.base import Outcome, OutgoingPush  # noqa: E402
from notifications.channels.fcm import (  # noqa: E402
    FcmChannel,
    FcmRoute,
    prepare_messages,
)
from notifications.sandbox.oauth import make_service_account  # noqa: E402

SCALES = {"small": (6_000, 500), "full": (60_000, 3_000)}
BATCH = 500


def make_push(number: int) -> OutgoingPush:
    return OutgoingPush(
        delivery_id=f"0197a1b2-0000-7000-8000-{number:012d}",
        token=f"bench-{number:08d}:APA91b" + "x" * 120,
        fid="",
        platform="android",
        title="Your basket waits",
        body="Two WHITE HANGING HEART T-LIGHT HOLDERs are still in stock.",
        ttl_s=86_400,
        link="https://shop.example/basket?utm_source=apropos&utm_medium=push",
        data={"apropos_token": "t" * 64, "apropos_url": "https://crm.example"},
        analytics_label="campaign-1",
    )


def time_run(count: int, send: Callable[[list[OutgoingPush]], int]) -> dict[str, float]:
    """Send in batches; every message must be taken."""
    send([make_push(0)])
    begun_s, cpu_s = time.perf_counter(), time.process_time()
    sent = 0
    for start in range(0, count, BATCH):
        sent += send([make_push(start + n) for n in range(BATCH)])
    elapsed_s = time.perf_counter() - begun_s
    if sent != count:
        raise SystemExit(f"{sent} of {count} were taken")
    cpu_per_1000_s = (time.process_time() - cpu_s) / count * 1000
    return {
        "per_s": round(count / elapsed_s),
        "cpu_s_per_1000": round(cpu_per_1000_s, 3),
    }


def send_through(channel: FcmChannel) -> Callable[[list[OutgoingPush]], int]:
    def send(pushes: list[OutgoingPush]) -> int:
        results = channel.send(pushes, deadline_s=60)
        return sum(result.outcome is Outcome.SENT for _index, result in results)

    return send


def send_by_send_each(url: str, ca: Path) -> Callable[[list[OutgoingPush]], int]:
    """The SDK's batch call as it comes, its address apart."""
    import firebase_admin
    import google.auth.credentials
    import requests
    from firebase_admin import messaging

    class Bearer(google.auth.credentials.Credentials):  # type: ignore[misc]
        def refresh(self, request: Any) -> None:
            self.token = "bench"

    class Elsewhere(requests.adapters.HTTPAdapter):
        def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
            request.url = request.url.replace("https://fcm.googleapis.com", url)
            options["verify"] = str(ca)
            return super().send(request, *args, **options)

    app = firebase_admin.initialize_app(Bearer(), {"projectId": "p"}, name="bench")
    session = messaging._get_messaging_service(app)._client.session
    session.mount("https://fcm.googleapis.com", Elsewhere(pool_maxsize=100))

    def send(pushes: list[OutgoingPush]) -> int:
        messages = [prepared.message for prepared in prepare_messages(pushes)]  # type: ignore[union-attr]
        return int(messaging.send_each(messages, app=app).success_count)

    return send


@contextmanager
def run_process(*command: str) -> Iterator[str]:
    """A child; its first line of output."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def write_certificate(path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(now - timedelta(hours=1))
    builder = builder.not_valid_after(now + timedelta(days=1))
    certificate = builder.add_extension(address, critical=False).sign(
        key, hashes.SHA256()
    )
    pem = serialization.Encoding.PEM
    path.write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(
            pem,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def measure_all(ours: int, theirs: int) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    python = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        log, pem = f"{folder}/log", Path(folder) / "pem"
        sandbox_command = [python, "-m", "notifications.sandbox", "--port", "0"]
        with run_process(*sandbox_command, "--log", log) as line:
            sandbox = line.split()[1]
            account = make_service_account(sandbox)
            token_endpoint = f"{sandbox}/token"
            for transport, count in (("pycurl", ours), ("sdk", theirs)):
                route = FcmRoute(sandbox, token_endpoint, transport)
                channel = FcmChannel(account, route)
                rows[f"sandbox_{transport}"] = time_run(count, send_through(channel))
            if shutil.which("node") is None:
                return rows | {"skipped": "TLS + HTTP/2: no node here"}
            write_certificate(pem)
            node = ("node", str(ROOT / "tests/bench/h2_server.js"), str(pem))
            with run_process(*node) as port:
                url = f"https://127.0.0.1:{port}"
                route = FcmRoute(url, token_endpoint, "pycurl", str(pem))
                channel = FcmChannel(account, route)
                rows["h2_pycurl"] = time_run(ours, send_through(channel))
                send = send_by_send_each(url, pem)
                rows["tls_send_each"] = time_run(theirs, send)
    ours_row, theirs_row = rows["h2_pycurl"], rows["tls_send_each"]
    # On a busy machine only the second ratio means anything.
    return rows | {
        "transport_x_sdk": round(ours_row["per_s"] / theirs_row["per_s"], 1),
        "transport_x_sdk_cpu": round(
            theirs_row["cpu_s_per_1000"] / ours_row["cpu_s_per_1000"], 1
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure_all(*SCALES[options.scale])
    if options.json:
        print(json.dumps(rows))
        return
    for name, value in rows.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
