"""The encrypted column, by the name that the first migration knows it by."""

from crm.models.secret import EncryptedTextField, build_cipher

__all__ = ["EncryptedTextField", "build_cipher"]
