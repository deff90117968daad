"""Which language of a message a person gets."""

from __future__ import annotations

from collections.abc import Collection


def normalize_locale(tag: str) -> str:
    """`pt_br.UTF-8` → `pt-br`: how locales are compared, never how they are shown."""
    return tag.strip().split(".")[0].split("@")[0].replace("_", "-").casefold()


def choose_locale(wanted: str | None, available: Collection[str], default: str) -> str:
    """The best of `available`, as it is written there; else `default`.

    Exact first (pt-BR), then each shorter form (pt), then a sister region (pt-PT),
    because a Brazilian reads European Portuguese better than English.
    """
    by_tag = {normalize_locale(tag): tag for tag in sorted(available)}
    parts = normalize_locale(wanted or "").split("-")
    for length in range(len(parts), 0, -1):
        found = by_tag.get("-".join(parts[:length]))
        if found is not None:
            return found
    sisters = [tag for key, tag in by_tag.items() if key.split("-")[0] == parts[0]]
    return sisters[0] if sisters else default
