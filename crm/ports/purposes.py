"""Port `purposes`: what is used about a contact, and why (transparency page)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Use:
    """One use of personal data, in words a person understands."""

    what: str
    why: str
    kept_for: str = ""


class PurposeProvider(Protocol):
    def uses(self, contact_id: int) -> Sequence[Use]: ...


_providers: list[PurposeProvider] = []


def register_purposes(provider: PurposeProvider) -> None:
    _providers.append(provider)


def purpose_providers() -> Sequence[PurposeProvider]:
    return tuple(_providers)
