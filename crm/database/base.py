"""PostgreSQL as Django speaks to it, without the log that DEBUG keeps.

With DEBUG on, as under `up`, Django writes out each statement with its parameters and
keeps the last 9,000 of a connection. A request throws them away, a worker never does:
that is its memory, and with batches of events much of its time. Tests that count
queries ask for the log by name, and get it.
"""

from __future__ import annotations

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def queries_logged(self) -> bool:
        return bool(self.force_debug_cursor)
