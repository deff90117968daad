"""Who falls into which bucket: the hash of GrowthBook's SDKs, version 2.

Pure and stable: a person stays in their bucket on every machine and in every year,
and GrowthBook's published vectors hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

FNV_OFFSET: Final = 0x811C9DC5
FNV_PRIME: Final = 0x01000193
# Buckets of hash version 2: shares are exact to 0.01 %.
RESOLUTION: Final = 10_000


def hash_fnv1a(text: str) -> int:
    """The 32-bit FNV-1a hash of the UTF-8 text."""
    value = FNV_OFFSET
    for byte in text.encode():
        value = ((value ^ byte) * FNV_PRIME) & 0xFFFFFFFF
    return value


def hash_position(seed: str, value: str) -> float:
    """Where a value falls in [0, 1), in steps of 0.0001 (`hash(seed, value, 2)`)."""
    # Hashing the decimal digits once more undoes FNV's likeness of like inputs.
    return hash_fnv1a(str(hash_fnv1a(seed + value))) % RESOLUTION / RESOLUTION


def assign_bucket(seed: str, value: str, shares: Sequence[float]) -> int | None:
    """The index of the share that a value falls into; None past their sum.

    `shares` are fractions laid end to end from 0, for instance (0.05,) for a holdout
    or (0.5, 0.5) for two variants. Raises ValueError where they are negative or sum
    to more than 1.
    """
    if any(share < 0 for share in shares) or sum(shares) > 1 + 1e-9:
        raise ValueError("shares must be 0 or more and sum to at most 1")
    position = hash_position(seed, value)
    # Rounded to the resolution: 0.1 + 0.2 must not move anybody.
    for index, end in enumerate(accumulate(shares)):
        if position < round(end, 9):
            return index
    return None
