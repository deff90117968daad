"""The certificate of `up --tls`: made once, made anew when it must be."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from django.utils import timezone

from crm.embedded.certificate import LIFE, CertificateFiles, read_or_create_certificate

NOW = timezone.now()


def make(base: Path, *, host: str = "127.0.0.1", now: datetime = NOW) -> bytes:
    files = read_or_create_certificate(base, host=host, now=now)
    return files.certificate.read_bytes()


def test_it_is_made_once_and_its_key_is_ours_alone(tmp_path: Path) -> None:
    first = make(tmp_path / "new")
    assert make(tmp_path / "new", host="0.0.0.0") == first
    assert (tmp_path / "new" / "tls.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("fault", ["old", "host", "key", "garbage"])
def test_it_is_made_anew_where_it_would_not_do(tmp_path: Path, fault: str) -> None:
    first = make(tmp_path)
    now, host = NOW, "127.0.0.1"
    if fault == "old":
        now = NOW + LIFE - timedelta(days=29)
    if fault == "host":
        host = "crm.example.com"
    if fault == "key":
        other = read_or_create_certificate(tmp_path / "other", host=host, now=NOW)
        (tmp_path / "tls.key").write_bytes(other.key.read_bytes())
    if fault == "garbage":
        (tmp_path / "tls.crt").write_text("no certificate")
    second = make(tmp_path, now=now, host=host)
    assert second != first
    assert x509.load_pem_x509_certificate(second).not_valid_after_utc > now + LIFE / 2
    assert make(tmp_path, now=now, host=host) == second


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_strict_client_that_trusts_the_file_takes_it(
    tmp_path: Path, name: str
) -> None:
    files = read_or_create_certificate(tmp_path, host="127.0.0.1", now=NOW)
    assert shake_hands(files, name, trusts=True) == "TLSv1.3"


def test_a_client_that_does_not_trust_the_file_refuses_it(tmp_path: Path) -> None:
    files = read_or_create_certificate(tmp_path, host="127.0.0.1", now=NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(files, "localhost", trusts=False)


def shake_hands(files: CertificateFiles, name: str, *, trusts: bool) -> str | None:
    """The protocol that a client agrees on, over a real socket."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context()
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    if trusts:
        client.load_verify_locations(files.certificate)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as line:
            return line.version()
    finally:
        ours.close()
        thread.join(5)
