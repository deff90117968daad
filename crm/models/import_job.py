"""Imports: a file that staff sent, how far it has come, and what an undo needs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

# Until then an import can be undone; then its file, its refused rows and what an undo
# needs are deleted.
KEEP_DAYS = 30


class ImportJobQuerySet(models.QuerySet["ImportJob"]):
    def newest_first(self) -> Self:
        return self.order_by("-pk")

    def with_work(self, now: datetime) -> Self:
        """Those in which a worker has something to do, and no other is at it."""
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        return self.filter(free, state__in=ImportJob.ACTIVE).order_by("pk")

    def of_age(self, now: datetime) -> Self:
        """Those whose file and journal are kept no longer."""
        old = self.filter(created_at__lt=now - timedelta(days=KEEP_DAYS))
        return old.filter(is_forgotten=False).exclude(state__in=ImportJob.ACTIVE)


class ImportJob(models.Model):
    """One file. Rows count records below the heading; `rows_done` is where the next
    worker goes on, written in the transaction that takes the rows in.

    new + changed + same + bad = done. Of an undo, `undone` says what came of it.
    """

    class Kind(models.TextChoices):
        CONTACTS = "contacts", "Contacts"
        EVENTS = "events", "Events"
        ITEMS = "items", "Catalog items"

    class State(models.TextChoices):
        UPLOADED = "uploaded", "Waits for its columns"
        CHECKING = "checking", "Is checked"
        CHECKED = "checked", "Checked"
        RUNNING = "running", "Runs"
        DONE = "done", "Done"
        CANCELED = "canceled", "Canceled"
        FAILED = "failed", "Failed"
        UNDOING = "undoing", "Is undone"
        UNDONE = "undone", "Undone"

    # A worker has something to do.
    ACTIVE = (State.CHECKING, State.RUNNING, State.UNDOING)
    # Rows may have been taken in, which an undo gives back.
    UNDOABLE = (State.DONE, State.CANCELED, State.FAILED)
    # The columns may still be changed.
    OPEN = (State.UPLOADED, State.CHECKED)

    class Encoding(models.TextChoices):
        UTF_8 = "utf-8", "UTF-8"
        UTF_16 = "utf-16", "UTF-16"
        LATIN_1 = "latin-1", "Latin-1 (Western European, Windows-1252)"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    # Slug of the catalog whose items they are; '' for the other kinds.
    catalog = models.CharField(max_length=50, blank=True)
    state = models.CharField(
        max_length=16, choices=State.choices, default=State.UPLOADED
    )
    # Null where a command sent it.
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    # A member of staff, or "command".
    made_by = models.CharField(max_length=150)
    file_name = models.CharField(max_length=200)
    size_bytes = models.BigIntegerField()
    # csv or xlsx, told by the bytes.
    format = models.CharField(max_length=8)
    # '' until staff say what a text is that is no UTF-8.
    encoding = models.CharField(max_length=16, choices=Encoding.choices, blank=True)
    delimiter = models.CharField(max_length=1, blank=True)
    # Where the text stops to be UTF-8, in words.
    encoding_fault = models.CharField(max_length=200, blank=True)
    heading = models.JSONField(default=list)
    # The first rows, cut, for the page of the columns.
    samples = models.JSONField(default=list)
    # List of {heading, to, name, kind}: crm.imports.mapping.Column.
    mapping = models.JSONField(default=list)
    dates = models.CharField(max_length=16, default="iso")
    # The name of all events of a file without a column for it.
    event_name = models.CharField(max_length=200, blank=True)
    # About how many; null where the file does not say.
    rows_total = models.IntegerField(null=True)
    rows_done = models.IntegerField(default=0)
    rows_new = models.IntegerField(default=0)
    rows_changed = models.IntegerField(default=0)
    rows_same = models.IntegerField(default=0)
    rows_bad = models.IntegerField(default=0)
    # What went wrong with all of it.
    failure = models.CharField(max_length=500, blank=True)
    # What an undo did, by words for staff.
    undone = models.JSONField(default=dict)
    # When what the file says was said: newer words win over it, older ones yield.
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # How often a worker began and no chunk of rows came of it.
    attempts = models.PositiveSmallIntegerField(default=0)
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    is_forgotten = models.BooleanField(default=False)

    objects = ImportJobQuerySet.as_manager()

    class Meta:
        verbose_name = "import"
        indexes = [
            # crm.tasks.run_imports: is there work?
            models.Index(
                fields=["id"],
                name="import_with_work",
                condition=Q(state__in=["checking", "running", "undoing"]),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    rows_done=models.F("rows_new")
                    + models.F("rows_changed")
                    + models.F("rows_same")
                    + models.F("rows_bad")
                ),
                name="import_counts_every_row_once",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE

    @property
    def rows_good(self) -> int:
        """Rows that an import takes, or took."""
        return self.rows_done - self.rows_bad

    @property
    def undo_until(self) -> datetime:
        return self.created_at + timedelta(days=KEEP_DAYS)

    @property
    def done_pct(self) -> int:
        """0 to 100 of the rows that the file was said to have."""
        if not self.is_active:
            return 100
        total = max(self.rows_total or 0, self.rows_done, 1)
        return min(99, self.rows_done * 100 // total)


class ImportPart(models.Model):
    """A piece of the file as it was sent, in order of `number`."""

    job = models.ForeignKey(ImportJob, models.CASCADE, related_name="parts")
    number = models.IntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="import_part_once"),
        ]

    def __str__(self) -> str:
        return f"{self.job} {self.number}"


class ImportProblemQuerySet(models.QuerySet["ImportProblem"]):
    def naming(self, values: list[str]) -> Self:
        """Rows in which a cell is one of these; reads all rows there are."""
        if not values:
            return self.none()
        return self.filter(cells__has_any_keys=values)


class ImportProblem(models.Model):
    """A row that was refused: where, why, and the row itself."""

    job = models.ForeignKey(ImportJob, models.CASCADE, related_name="problems")
    line = models.IntegerField()
    # The heading; '' where it is all of the row.
    column = models.CharField(max_length=220, blank=True)
    code = models.CharField(max_length=64)
    message = models.CharField(max_length=500)
    cells = models.JSONField(default=list)

    objects = ImportProblemQuerySet.as_manager()

    class Meta:
        indexes = [
            # the page of the import, the file of its problems
            models.Index(fields=["job", "line"], name="import_problem_line"),
        ]

    def __str__(self) -> str:
        return f"{self.line}: {self.message}"


class ImportTouch(models.Model):
    """A contact or item that an import made or changed: what its undo needs.

    `before` of a contact: {trait: [value, said at]}, null where nothing was said; of
    an item: {before, after}, its columns.
    """

    # Neither has a constraint: it would cost every row a look-up. `import_touch_of_job`
    # is the job's index; jobs are never deleted.
    job = models.ForeignKey(
        ImportJob,
        models.CASCADE,
        related_name="touches",
        db_constraint=False,
        db_index=False,
    )
    # A merge moves it.
    contact = models.ForeignKey(
        "crm.Contact", models.CASCADE, null=True, db_constraint=False, related_name="+"
    )
    code = models.CharField(max_length=100, blank=True)
    made = models.BooleanField(default=False)
    before = models.JSONField(default=dict)

    class Meta:
        indexes = [
            # the undo, from the last to the first
            models.Index(fields=["job", "-id"], name="import_touch_of_job"),
        ]

    def __str__(self) -> str:
        return f"{self.job} {self.code or self.contact_id}"
