"""A throw-away service account, and channels that talk to a test's own server."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from notifications.channels.base import OutgoingPush
from notifications.channels.fcm import FcmChannel, FcmRoute
from notifications.channels.fcm_transport import Limits
from tests.notifications.channels.fault_server import FaultServer

# Short, so that silence costs a test one second.
SHORT = Limits(connect_s=0.6, total_s=1.0, window=200)


def make_push(number: int = 1, **changes: Any) -> OutgoingPush:
    facts: dict[str, Any] = {
        "delivery_id": f"delivery-{number}",
        "token": f"token-{number:04d}-abcdefghijklmnopqrstuvwxyz",
        "fid": "",
        "platform": "android",
        "title": "Your basket waits",
        "body": "Two mugs, one teapot.",
        "ttl_s": 3600,
    }
    return OutgoingPush(**(facts | changes))


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def service_account(rsa_key: rsa.RSAPrivateKey) -> dict[str, str]:
    pem = rsa_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "project_id": "test-project",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "push@test-project.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture(params=["pycurl", "sdk"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_channel(service_account: dict[str, str]) -> Callable[..., FcmChannel]:
    def build(
        server: FaultServer, transport: str = "pycurl", **more: Any
    ) -> FcmChannel:
        route = {
            "endpoint": server.url,
            "token_endpoint": f"{server.url}/token",
            "transport": transport,
            "limits": SHORT,
        }
        return FcmChannel(service_account, FcmRoute(**(route | more)))

    return build


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory, rsa_key: Any) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(rsa_key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(rsa_key, hashes.SHA256())
    )
    key = rsa_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key)
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
