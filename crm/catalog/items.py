"""The one door for items: `save_items`, and `archive_items` that takes them away.

A save holds the catalog's row, so that two of the same catalog come one after the
other: each change of a price is seen once, and an item is new once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from crm.catalog.changes import Change, Policy, Shown, compare_states
from crm.catalog.fields import Field, FieldRefused, read_fields
from crm.catalog.moves import note_move
from crm.catalog.rows import COLUMNS, TAKEN, read_code, read_row
from crm.events.limits import Fault
from crm.models import Catalog, CatalogChange, CatalogItem
from crm.models.audit import record_audit

# A row that is said here is no longer what events told.
WRITTEN: Final = (
    *COLUMNS,
    "attributes",
    "archived_at",
    "updated_at",
    "learned_at",
)
# Rows of one statement; 14 values each.
CHUNK: Final = 1_000


@dataclass(slots=True)
class Saved:
    """What became of the rows; `refused` by their index."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    # Rows that a later one of the same code replaced.
    repeated: int = 0
    refused: dict[int, Fault] = field(default_factory=dict)
    # Written down; those with an event wait to be told.
    changes: list[CatalogChange] = field(default_factory=list)

    @property
    def saved(self) -> int:
        return self.new + self.changed + self.unchanged

    @property
    def is_news(self) -> bool:
        """Whether somebody is to be told."""
        waiting = CatalogChange.Outcome.WAITING
        return any(change.outcome == waiting for change in self.changes)


@dataclass(frozen=True, slots=True)
class _Save:
    """One call of `save_items`: what all its rows share."""

    catalog: Catalog
    fields: tuple[Field, ...]
    partial: bool
    policy: Policy
    source: str
    at: datetime


def save_items(
    catalog: Catalog,
    rows: Iterable[Any],
    *,
    source: str,
    at: datetime,
    partial: bool = False,
    quiet: bool = False,
) -> Saved:
    """Make and change items by their code; wrong rows are named, the rest is kept.

    A row is plain data (texts of a file will do) and replaces what stood; where
    `partial` it changes only what it names. Of a repeated code the last row wins. An
    archived item comes back. `quiet`: history is written, nobody is told.

    A transaction for each thousand rows, five statements in it.
    """
    save = _Save(
        catalog=catalog,
        fields=read_fields(catalog.fields, taken=frozenset(TAKEN)),
        partial=partial,
        policy=Policy(settings.PRICE_DROP_MIN_PCT, catalog.is_news, quiet),
        source=source,
        at=at,
    )
    saved = Saved()
    numbered = iter(enumerate(rows))
    while chunk := list(islice(numbered, CHUNK)):
        _save_chunk(save, chunk, saved)
    return saved


@transaction.atomic
def _save_chunk(save: _Save, chunk: Sequence[tuple[int, Any]], saved: Saved) -> None:
    lock_catalog(save.catalog)
    stands = _read_standing(save.catalog, chunk)
    items = _apply_rows(save, chunk, stands, saved)
    moved = [item for item in items if _is_moved(stands.get(item.code), item)]
    known = sum(item.code in stands for item in moved)
    saved.new += len(moved) - known
    saved.changed += known
    saved.unchanged += len(items) - len(moved)
    CatalogItem.objects.bulk_create(
        moved,
        update_conflicts=True,
        unique_fields=["catalog", "code"],
        update_fields=WRITTEN,
    )
    if moved:
        note_move(save.catalog)
    pairs = [(stands.get(item.code), item) for item in moved]
    saved.changes += _write_changes(
        pairs, policy=save.policy, source=save.source, at=save.at
    )


def lock_catalog(catalog: Catalog) -> None:
    """One writer of a catalog's items at a time; readers are not held."""
    Catalog.objects.select_for_update(no_key=True).get(pk=catalog.pk)


def _read_standing(
    catalog: Catalog, chunk: Sequence[tuple[int, Any]]
) -> dict[str, CatalogItem]:
    """The items that these rows may mean, as they stand."""
    codes = {code for _, row in chunk if (code := _find_code(row))}
    found = CatalogItem.objects.filter(catalog=catalog).coded(codes)
    return {item.code: item for item in found}


def _find_code(row: Any) -> str:
    """The code that a row names, '' where it names none that could be."""
    try:
        return read_code(row.get("code")) if isinstance(row, Mapping) else ""
    except FieldRefused:
        return ""


def _apply_rows(
    save: _Save,
    chunk: Sequence[tuple[int, Any]],
    stands: Mapping[str, CatalogItem],
    saved: Saved,
) -> list[CatalogItem]:
    """The items as they will be, by code; faults are noted by index."""
    items: dict[str, CatalogItem] = {}
    for index, said in chunk:
        code = _find_code(said)
        known = items.get(code) or stands.get(code)
        # An item that is new has nothing to keep: its row must be whole.
        partial = save.partial and known is not None
        try:
            values = read_row(said, save.fields, partial=partial)
        except FieldRefused as refused:
            saved.refused[index] = refused.fault
            continue
        saved.repeated += code in items
        items[code] = _apply_row(known, values, save=save, partial=partial)
    return [items[code] for code in sorted(items)]


def _apply_row(
    known: CatalogItem | None, values: dict[str, Any], *, save: _Save, partial: bool
) -> CatalogItem:
    """A fresh row, without a key: the database finds the one that it replaces."""
    item = CatalogItem(catalog=save.catalog, created_at=save.at, updated_at=save.at)
    if known is not None:
        for name in (*COLUMNS, "attributes"):
            setattr(item, name, getattr(known, name))
    if partial and "attributes" in values:
        merged = {**item.attributes, **values["attributes"]}
        values["attributes"] = {k: v for k, v in merged.items() if v is not None}
    for name, value in values.items():
        setattr(item, name, value)
    return item


def _is_moved(before: CatalogItem | None, after: CatalogItem) -> bool:
    if before is None or before.archived_at or before.learned_at:
        return True
    names = (*COLUMNS, "attributes")
    return any(getattr(before, name) != getattr(after, name) for name in names)


@transaction.atomic
def archive_items(
    catalog: Catalog, codes: Iterable[str], *, source: str, at: datetime
) -> int:
    """Take items off the shelf; answers how many were on it. No message names them
    any more; a later save brings them back."""
    lock_catalog(catalog)
    going = list(CatalogItem.objects.filter(catalog=catalog).live().coded(codes))
    gone = [copy(item) for item in going]
    for item in gone:
        item.archived_at = item.updated_at = at
    CatalogItem.objects.bulk_update(gone, ["archived_at", "updated_at"])
    if gone:
        note_move(catalog)
    _write_changes(
        list(zip(going, gone, strict=True)),
        policy=Policy(settings.PRICE_DROP_MIN_PCT, catalog.is_news),
        source=source,
        at=at,
    )
    return len(gone)


def _write_changes(
    pairs: Iterable[tuple[CatalogItem | None, CatalogItem]],
    *,
    policy: Policy,
    source: str,
    at: datetime,
) -> list[CatalogChange]:
    """The history of what these items became; in the transaction that changes them."""
    rows = [
        _build_change(before, after, change, source=source, at=at)
        for before, after in pairs
        for change in compare_states(
            _show(before) if before else None,
            _show(after),
            # A price that an event told was never a promise of ours.
            policy=replace(policy, quiet=True)
            if before and before.learned_at
            else policy,
            at=at,
        )
    ]
    return CatalogChange.objects.bulk_create(rows)


def _build_change(
    before: CatalogItem | None,
    after: CatalogItem,
    change: Change,
    *,
    source: str,
    at: datetime,
) -> CatalogChange:
    outcome = CatalogChange.Outcome
    return CatalogChange(
        item_id=after.pk,
        kind=change.kind,
        at=at,
        old_price=before.price if before else None,
        new_price=after.price,
        old_stock=before.stock if before else None,
        new_stock=after.stock,
        source=source,
        event=change.event,
        outcome=outcome.WAITING if change.event else outcome.HISTORY,
    )


def _show(item: CatalogItem) -> Shown:
    return Shown(
        price=item.price,
        currency=item.currency,
        stock=item.stock,
        archived=item.archived_at is not None,
        published_at=item.published_at,
    )


def check_item(catalog: Catalog, row: Mapping[str, Any]) -> None:
    """Raise FieldRefused where this row could not be saved."""
    read_row(row, read_fields(catalog.fields, taken=frozenset(TAKEN)))


@transaction.atomic
def save_item(
    catalog: Catalog, row: Mapping[str, Any], *, actor: Any, at: datetime
) -> CatalogItem:
    """One item as staff left it; raises FieldRefused."""
    known = CatalogItem.objects.filter(catalog=catalog, code=row["code"]).exists()
    saved = save_items(catalog, [row], source="admin", at=at)
    for fault in saved.refused.values():
        raise FieldRefused(fault)
    item = CatalogItem.objects.get(catalog=catalog, code=read_code(row["code"]))
    record_audit(actor=actor, action="edited" if known else "added", on=item)
    return item
