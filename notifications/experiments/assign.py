"""Who falls into which share: a person stays in theirs on every machine and in every
year. Pure; the hash is that of `crm.buckets`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from crm.buckets import hash_position


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
