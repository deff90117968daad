"""Port `effects`: named events and traits that must take effect at ingest.

A provider runs inside the ingest transaction, after the events are appended and
with the contacts locked, so that an opt-out is before or after a gate, never
beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

# Customer.io's names for the events that stop and release a person.
SUPPRESSED = "User Suppressed"
UNSUPPRESSED = "User Unsuppressed"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one accepted item said: an event with properties, or traits."""

    contact_id: int
    occurred_at: datetime
    name: str
    properties: Mapping[str, Any]
    traits: Mapping[str, Any]
    source: str


class EffectProvider(Protocol):
    # Event names and traits this provider wants to see.
    event_names: frozenset[str]
    trait_names: frozenset[str]
    # What it takes effect on is consent: a file can not say it.
    is_consent: bool

    def apply(self, effects: Sequence[Effect]) -> None: ...


_providers: list[EffectProvider] = []


def register_effects(provider: EffectProvider) -> None:
    _providers.append(provider)


def effect_providers() -> Sequence[EffectProvider]:
    return tuple(_providers)
