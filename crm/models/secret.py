"""A text column encrypted at rest with the keys of `ENCRYPTION_KEYS`."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


def build_cipher() -> MultiFernet:
    """The cipher of this deployment: newest key first, older ones still open."""
    if not settings.ENCRYPTION_KEYS:
        raise ImproperlyConfigured("ENCRYPTION_KEY is not set.")
    try:
        return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])
    except ValueError as error:
        raise ImproperlyConfigured(f"ENCRYPTION_KEY: {error}") from error


class EncryptedTextField(models.TextField):
    """Plain text in Python, ciphertext in the database; '' stays ''."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return build_cipher().encrypt(value.encode()).decode() if value else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if not value:
            return value
        try:
            return build_cipher().decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured(
                "ENCRYPTION_KEY does not open a stored secret; "
                "add the key it was written with."
            ) from error
