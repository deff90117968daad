"""A certificate for this machine, made by itself: for SDKs that speak https alone.

Nobody vouches for it: a client is told to trust the file. Not for the internet.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# What clients still take from a certificate that no authority signed.
LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
# A clock of the client that runs behind must not find it unborn.
GRACE = timedelta(hours=1)
LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """PEM; `key` is readable by us alone, `certificate` is what clients trust."""

    certificate: Path
    key: Path


def read_or_create_certificate(
    base: Path, *, host: str, now: datetime
) -> CertificateFiles:
    """The certificate of a data directory; made anew when it nears its end, does not
    name this host, or does not fit its key.

    Raises OSError where the directory is not ours to write.
    """
    files = CertificateFiles(base / "tls.crt", base / "tls.key")
    names = list_names(host)
    if not is_usable(files, names=names, now=now):
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        signed = sign_certificate(key, names=names, now=now)
        replace_file(files.key, private, mode=0o600)
        replace_file(files.certificate, signed.public_bytes(Encoding.PEM), mode=0o644)
    return files


def list_names(host: str) -> list[str]:
    """This machine's own names, and the address that `up` was told to listen on."""
    anywhere = host in ("", "0.0.0.0", "::")
    return list(dict.fromkeys(LOCAL if anywhere else (*LOCAL, host)))


def is_usable(files: CertificateFiles, *, names: Sequence[str], now: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        key = load_pem_private_key(files.key.read_bytes(), password=None)
        said = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    return (
        certificate.public_key() == key.public_key()
        and now < certificate.not_valid_after_utc - RENEW_BEFORE
        and set(map(name_host, names)) <= set(said.value)
    )


def name_host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def sign_certificate(
    key: ec.EllipticCurvePrivateKey, *, names: Sequence[str], now: datetime
) -> x509.Certificate:
    """Its own authority, and for nothing but itself: strict clients ask for both."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Apropos, local")])
    public = key.public_key()
    builder = x509.CertificateBuilder(
        issuer_name=subject,
        subject_name=subject,
        public_key=public,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - GRACE,
        not_valid_after=now + LIFE,
    )
    own_id = x509.SubjectKeyIdentifier.from_public_key(public)
    for extension, is_critical in (
        (x509.SubjectAlternativeName(list(map(name_host, names))), False),
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (build_usage(), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (own_id, False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own_id), False),
    ):
        builder = builder.add_extension(extension, critical=is_critical)
    return builder.sign(key, hashes.SHA256())


def build_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def replace_file(path: Path, content: bytes, *, mode: int) -> None:
    """Whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "wb") as handle:
        handle.write(content)
    scratch.replace(path)
