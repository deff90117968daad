from __future__ import annotations

import stat
from pathlib import Path

from cryptography.fernet import Fernet

from crm.embedded.secrets import read_or_create_secrets


def test_secrets_are_made_once_and_readable_by_us_alone(tmp_path: Path) -> None:
    first = read_or_create_secrets(tmp_path / "data")
    assert read_or_create_secrets(tmp_path / "data") == first
    path = tmp_path / "data" / "secrets.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secrets.json"]


def test_two_data_directories_never_share_a_secret(tmp_path: Path) -> None:
    one = read_or_create_secrets(tmp_path / "one")
    two = read_or_create_secrets(tmp_path / "two")
    assert one.secret_key != two.secret_key
    assert one.encryption_key != two.encryption_key
    assert one.admin_password != two.admin_password


def test_the_encryption_key_is_a_fernet_key(tmp_path: Path) -> None:
    box = Fernet(read_or_create_secrets(tmp_path).encryption_key)
    assert box.decrypt(box.encrypt(b"credentials")) == b"credentials"
