"""Typed readers of the environment: a default that runs, or one clear line.

For crm/settings.py alone, which says what is read.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any, Final

import environ
from django.core.exceptions import ImproperlyConfigured

from crm.embedded.cluster import DATABASE, ROLE, Cluster
from crm.embedded.secrets import GeneratedSecrets, read_or_create_secrets

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
if (BASE_DIR / ".env").exists():
    env.read_env(str(BASE_DIR / ".env"))


def read_secret(name: str, default: str = "") -> str:
    """The value of NAME, or the content of the file that NAME_FILE names."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}_FILE: cannot read {path}: {error.strerror}"
            ) from error
    # Compose files pass what they do not know as an empty text.
    return env.str(name, "") or default


def read_choice(name: str, choices: tuple[str, ...], default: str) -> str:
    value = env.str(name, default)
    if value not in choices:
        raise ImproperlyConfigured(
            f"{name} must be one of {', '.join(choices)}, not {value!r}"
        )
    return value


def read_positive(name: str, default: int) -> int:
    try:
        value = env.int(name, default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number") from error
    if value < 1:
        raise ImproperlyConfigured(f"{name} must be at least 1, not {value}")
    return value


def read_required(name: str, default: str) -> str:
    value = read_secret(name, default)
    if not value:
        raise ImproperlyConfigured(
            f"{name} is required where DATABASE_URL is set or DEBUG is off "
            "(how to make one: .env.example)"
        )
    return value


def read_generated_secrets(cluster: Cluster | None) -> GeneratedSecrets:
    if cluster is None:
        return GeneratedSecrets("", "", "")
    try:
        return read_or_create_secrets(cluster.base)
    except OSError as error:
        raise ImproperlyConfigured(
            f"cannot use the data directory: {error.filename}: {error.strerror}"
        ) from error


def read_fernet_keys(name: str, default: str) -> list[str]:
    keys = [key.strip() for key in read_required(name, default).split(",") if key]
    for key in keys:
        try:
            whole = len(base64.urlsafe_b64decode(key)) == 32
        except ValueError:
            whole = False
        if not whole:
            raise ImproperlyConfigured(
                f"{name} must be Fernet keys, comma-separated, newest first: "
                "44 characters each (how to make one: .env.example)"
            )
    return keys


ENGINE: Final = "crm.database"
# Django turns preparing off. With any number `crm.events.statements` may prepare what
# it executes; Django's own cursors never do.
PREPARING: Final = {"prepare_threshold": 5}


def read_database(url: str, cluster: Cluster | None) -> dict[str, Any]:
    if cluster is not None:
        return {
            "ENGINE": ENGINE,
            "HOST": str(cluster.socket_dir),
            "PORT": "5432",
            "NAME": DATABASE,
            "USER": ROLE,
            "PASSWORD": "",
            "OPTIONS": dict(PREPARING),
        }
    if not url.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured(
            "DATABASE_URL must look like postgres://user:password@host:5432/name"
        )
    try:
        found: dict[str, Any] = dict(environ.Env.db_url_config(url))
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL: {error}") from error
    found["ENGINE"] = ENGINE
    found["OPTIONS"] = {**found.get("OPTIONS", {}), **PREPARING}
    return found


def read_broker(name: str) -> str:
    url = read_secret(name, "pgmq://")
    schemes = ("pgmq://", "redis://", "rediss://", "amqp://", "amqps://", "memory://")
    if not url.startswith(schemes):
        raise ImproperlyConfigured(
            f"{name} must start with one of {', '.join(schemes)}"
        )
    return url


def read_days(name: str, default: str) -> list[int]:
    """Whole days, comma-separated, the most first."""
    said = [part.strip() for part in env.str(name, default).split(",")]
    if not all(
        part.isascii() and part.isdigit() and len(part) < 4 and 0 < int(part) < 366
        for part in said
    ):
        raise ImproperlyConfigured(
            f"{name} must be days from 1 to 365, comma-separated, such as 3,1"
        )
    return sorted({int(part) for part in said}, reverse=True)
