"""What the tests' processes find in the environment. pytest loads it first (-p in
pyproject.toml): before the settings, which read it."""

from __future__ import annotations

import os

os.environ.setdefault("SECRET_KEY", "tests-only")
# A Fernet key of 32 equal bytes.
os.environ.setdefault("ENCRYPTION_KEY", "dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q=")
# Whatever database they use; the tests of the second factor turn it on.
os.environ.setdefault("SECOND_FACTOR", "off")
# Tests call faster than anybody may; those of the limits set their own.
for limit in ("RATE_INGEST_PER_S", "RATE_API_PER_S", "RATE_STRANGER_PER_S"):
    os.environ.setdefault(limit, "1000000")
# A broker in the process: only the tests of brokers speak to a real one.
os.environ.setdefault("BROKER_URL", "memory://")
# Playwright's loop runs in the thread of the tests that use the database.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
