"""Clocks of what time alone changes: a row for each owner and contact.

A row is never later than the true moment; sometimes earlier, and then looking again
sets the next one. So a touch only ever moves a clock forward, and somebody who opens
the app ten times a day costs one row a week, not ten updates a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from crm.ports.facts import Sql

NOTE = """
INSERT INTO {table} AS k ({owner}, contact_id, next_change_at)
SELECT %s, w.contact_id, w.wake_at FROM ({wakes}) w
LEFT JOIN {table} old ON old.{owner} = %s AND old.contact_id = w.contact_id
WHERE old.id IS NULL OR old.next_change_at > w.wake_at
ON CONFLICT ({owner}, contact_id) DO UPDATE
  SET next_change_at = least(k.next_change_at, excluded.next_change_at)
"""
FIND_DUE = """
SELECT {owner}, contact_id FROM {table} WHERE next_change_at <= %s
ORDER BY next_change_at LIMIT %s
"""
TAKE = """
DELETE FROM {table} k USING unnest(%s::bigint[], %s::bigint[]) AS p (owner, contact_id)
WHERE k.{owner} = p.owner AND k.contact_id = p.contact_id
  AND k.next_change_at <= %s RETURNING k.{owner}, k.contact_id
"""
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Clocks:
    """One table of clocks; names are constants of ours, so they stand in the SQL."""

    table: str
    owner: str

    def note(self, owner_id: int, wakes: Sql | None) -> None:
        """Note when time alone may move people; never moves a clock back."""
        if wakes is not None:
            params = (owner_id, *wakes.params, owner_id)
            self._run(self._fill(NOTE, wakes=wakes.text), params)

    def find_due(self, at: datetime, *, limit: int) -> list[Pair]:
        """(owner, contact) whose moment has come, oldest first, without locks."""
        return self._fetch(self._fill(FIND_DUE), (at, limit))

    def take(self, pairs: Sequence[Pair], *, at: datetime) -> list[Pair]:
        """Remove these; what another worker took meanwhile is not answered."""
        owners, contacts = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return self._fetch(self._fill(TAKE), (owners, contacts, at))

    def _fill(self, statement: str, **parts: str) -> str:
        return statement.format(table=self.table, owner=self.owner, **parts)

    def _run(self, statement: str, params: Sequence[Any]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, params)

    def _fetch(self, statement: str, params: Sequence[Any]) -> list[Pair]:
        with connection.cursor() as cursor:
            cursor.execute(statement, params)
            return cursor.fetchall()
