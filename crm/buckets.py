"""Where somebody falls by chance that never changes: the hash of GrowthBook's SDKs,
version 2. Read by experiments, by segment rules and by whatever is spread by chance.

Pure and stable: the same on every machine and in every year, and GrowthBook's published
vectors hold.
"""

from __future__ import annotations

from typing import Final

FNV_OFFSET: Final = 0x811C9DC5
FNV_PRIME: Final = 0x01000193
# The state is of 32 bits.
FNV_MASK: Final = 0xFFFFFFFF
# Buckets of hash version 2: shares are exact to 0.01 %.
RESOLUTION: Final = 10_000


def hash_fnv1a(text: str) -> int:
    """The 32-bit FNV-1a hash of the UTF-8 text."""
    value = FNV_OFFSET
    for byte in text.encode():
        value = ((value ^ byte) * FNV_PRIME) & FNV_MASK
    return value


def hash_position(seed: str, value: str) -> float:
    """Where a value falls in [0, 1), in steps of 0.0001 (`hash(seed, value, 2)`)."""
    # Hashing the decimal digits once more undoes FNV's likeness of like inputs.
    return hash_fnv1a(str(hash_fnv1a(seed + value))) % RESOLUTION / RESOLUTION
