"""Secrets that the embedded default makes for itself, once, beside its data."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "secrets.json"


@dataclass(frozen=True, slots=True)
class GeneratedSecrets:
    """`encryption_key` is a Fernet key; `admin_password` opens the first login."""

    secret_key: str
    encryption_key: str
    admin_password: str


def read_or_create_secrets(base: Path) -> GeneratedSecrets:
    """The secrets of a data directory. Two first starts at once get the same ones.

    Raises OSError where the directory is not ours to read or write.
    """
    path = base / FILE
    if not path.exists():
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_once(path, json.dumps(asdict(generate_secrets()), indent=2) + "\n")
    return GeneratedSecrets(**json.loads(path.read_text()))


def generate_secrets() -> GeneratedSecrets:
    return GeneratedSecrets(
        secret_key=secrets.token_urlsafe(50),
        encryption_key=base64.urlsafe_b64encode(os.urandom(32)).decode(),
        admin_password=secrets.token_urlsafe(12),
    )


def write_once(path: Path, content: str) -> None:
    """Whole or not at all, readable by us alone; the first writer wins."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(scratch, path)
    scratch.unlink()
