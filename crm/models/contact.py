"""Contacts and the identifiers that lead to them."""

from __future__ import annotations

from typing import Any, Self

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.fields.json import KT
from django.db.models.functions import Left, Lower
from django.utils import timezone

from crm.models.ids import make_uuid7

# Names are indexed and searched by this many characters: a longer text would not
# fit into an index entry.
PREFIX_LENGTH = 100
# People that each way of searching may bring; more of them need a better word.
MAX_FOUND = 500


def name_prefix(trait: str) -> Left:
    """What the search for a name compares: lower case, cut."""
    return Left(Lower(KT(f"traits__{trait}")), PREFIX_LENGTH)


class ContactQuerySet(models.QuerySet["Contact"]):
    def canonical(self) -> Self:
        """Contacts that were neither merged away nor erased."""
        return self.filter(canonical=None, erased_at=None)

    def lock_in_order(self, ids: list[int]) -> list[Contact]:
        """Lock these rows `FOR NO KEY UPDATE`, ordered by id.

        The one order everybody locks contacts in, so that a gate, a consent
        write and a merge wait for each other and never deadlock.
        """
        rows = self.filter(pk__in=ids).order_by("pk")
        return list(rows.select_for_update(no_key=True))

    def found_by(self, *, email: str = "", external_id: str = "") -> Self:
        """Exact look-up; an empty text asks nothing. E-mail is without case."""
        found = self
        if email:
            # Ids first: beside an ORDER BY the planner would walk the primary key
            # in the hope of an early match. The index holds no empty ones.
            mails = Contact.objects.exclude(email="").annotate(_at=Lower("email"))
            ids = mails.filter(_at=email.lower()).values_list("pk", flat=True)
            found = found.filter(pk__in=list(ids[:MAX_FOUND]))
        if external_id:
            found = found.filter(
                identifiers__kind=Identifier.Kind.EXTERNAL_ID,
                identifiers__value=external_id,
            )
        return found

    def searched(self, text: str) -> Self:
        """Whose identifier, e-mail or name begins with this, without case."""
        if not text.strip():
            return self
        return self.filter(pk__in=self.find_ids(text))

    def find_ids(self, text: str) -> list[int]:
        """Ids of the contacts a search means; one query.

        A union of index look-ups: one condition with OR would read every row.
        """
        prefix = text.strip().lower()[:PREFIX_LENGTH]
        keys = Identifier.objects.annotate(_at=Lower("value"))
        found: list[Any] = [
            keys.filter(_at__startswith=prefix).values_list("contact_id")
        ]
        emails = Contact.objects.exclude(email="").annotate(_at=Lower("email"))
        found.append(emails.filter(_at__startswith=prefix).values_list("pk"))
        for trait in ("name", "first_name", "last_name"):
            named = Contact.objects.filter(traits__has_key=trait)
            named = named.annotate(_at=name_prefix(trait))
            found.append(named.filter(_at__startswith=prefix).values_list("pk"))
        parts = [part[:MAX_FOUND] for part in found]
        return [pk for (pk,) in parts[0].union(*parts[1:])]

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class Contact(models.Model):
    """A person, known or anonymous.

    `traits` is what was said about them, `traits_at` when (seconds since the
    epoch, per key): the newest word wins, whatever the order of arrival.
    `computed` is what follows from their events (`ComputedTrait`), by key; nobody
    says it, and where both hold a key, readers take this one.
    `email` and `phone` are where to write to; what they are found by is in
    `Identifier`.
    """

    uuid = models.UUIDField(default=make_uuid7, unique=True, editable=False)
    external_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    email = models.EmailField(max_length=254, blank=True)
    phone = models.CharField(max_length=32, blank=True)
    traits = models.JSONField(default=dict, blank=True)
    traits_at = models.JSONField(default=dict, blank=True, editable=False)
    computed = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        editable=False,
    )
    # BCP 47; '' where unknown.
    locale = models.CharField(max_length=35, blank=True)
    # IANA name; '' where unknown, then the ladder device → brand → settings.
    time_zone = models.CharField(max_length=64, blank=True)
    # Age of the profile: when added, or the earliest (back-dated) event.
    known_since = models.DateTimeField(default=timezone.now)
    # Newest event by its own clock; null where nothing was ever done.
    last_active_at = models.DateTimeField(null=True, blank=True)
    # Set on a contact that was merged away; it keeps resolving through this.
    canonical = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="merged"
    )
    erased_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ContactQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(canonical=None) | ~Q(canonical=F("id")),
                name="contact_not_its_own_canonical",
            ),
        ]
        indexes = [
            # segments: traits @> {"plan": "pro"}
            GinIndex(
                fields=["traits"], name="contact_traits", opclasses=["jsonb_path_ops"]
            ),
            # segments: computed @> {"tier": "gold"}
            GinIndex(
                fields=["computed"],
                name="contact_computed",
                opclasses=["jsonb_path_ops"],
            ),
            # API look-up without case, admin search by prefix
            models.Index(
                OpClass(Lower("email"), name="varchar_pattern_ops"),
                name="contact_email",
                condition=~Q(email=""),
            ),
            # admin search: the prefix of a name
            models.Index(
                OpClass(name_prefix("name"), name="text_pattern_ops"),
                name="contact_name",
                condition=Q(traits__has_key="name"),
            ),
            models.Index(
                OpClass(name_prefix("first_name"), name="text_pattern_ops"),
                name="contact_first_name",
                condition=Q(traits__has_key="first_name"),
            ),
            models.Index(
                OpClass(name_prefix("last_name"), name="text_pattern_ops"),
                name="contact_last_name",
                condition=Q(traits__has_key="last_name"),
            ),
            # segments: the newcomer rule of "has not done"
            models.Index(fields=["known_since"], name="contact_known_since"),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def known_traits(self) -> dict[str, Any]:
        """What was said and what was computed, which wins."""
        return {**self.traits, **self.computed}

    @property
    def display_name(self) -> str:
        """What staff call this person: name, e-mail, id, in that order."""
        name = self.traits.get("name") or " ".join(
            str(self.traits[key])
            for key in ("first_name", "last_name")
            if self.traits.get(key)
        )
        return str(
            name or self.email or self.external_id or f"Anonymous {self.uuid.hex[-6:]}"
        )


class Identifier(models.Model):
    """One key that leads to a contact; unique over kind and value."""

    class Kind(models.TextChoices):
        EXTERNAL_ID = "external_id", "External id"
        EMAIL = "email", "E-mail"
        PHONE = "phone", "Phone"
        ANONYMOUS_ID = "anonymous_id", "Anonymous id"

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="identifiers")
    kind = models.CharField(max_length=32, choices=Kind.choices)
    value = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now)
    # The contact it led to first, where a merge moved it; no key: it is not a
    # second owner, only where an undo takes it back to.
    origin_id = models.BigIntegerField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "value"], name="identifier_leads_to_one_contact"
            ),
            models.CheckConstraint(condition=~Q(value=""), name="identifier_not_empty"),
        ]
        indexes = [
            # admin search: the prefix of any identifier
            models.Index(
                OpClass(Lower("value"), name="varchar_pattern_ops"),
                name="identifier_prefix",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"
