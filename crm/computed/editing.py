"""Defining, switching and deleting computed traits; the values follow in pieces."""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from django.db.models import Max
from django.urls import reverse
from django.utils import timezone

from crm.computed.definition import (
    Definition,
    Tier,
    TraitNumber,
    describe_definition,
    read_definition,
)
from crm.models import ComputedTrait, Contact
from crm.models.audit import record_audit
from crm.ports.audiences import Use, list_trait_uses, name_uses
from crm.ports.facts import CATALOG_CHANGED, RuleError

# Each one costs every event that it names.
TRAITS_MAX: Final = 100
# Columns of the profile: a template would never see the trait behind them.
TAKEN: Final = frozenset(
    {
        "id",
        "external_id",
        "email",
        "phone",
        "locale",
        "timezone",
        "time_zone",
        "traits",
        "first_name",
        "last_name",
        "name",
        "lifecycle_stage",
    }
)


class TraitInUse(ValueError):
    """A trait that others ask for changes, or goes, only on purpose."""

    def __init__(self, uses: list[Use]) -> None:
        super().__init__(f"used by {name_uses(uses)}: say that the trait changes")
        self.uses = uses


def list_users(key: str) -> list[Use]:
    """Tiers made of this trait, then the rules that ask for it."""
    tiers = ComputedTrait.objects.kept_live().filter(trait_names__contains=[key])
    made = [
        Use(
            "computed trait",
            one.label,
            one.get_state_display(),
            reverse("admin:crm_computedtrait_change", args=[one.pk]),
            is_live=True,
        )
        for one in tiers.order_by("label")
    ]
    return [*made, *list_trait_uses(key)]


def find_affected(trait: ComputedTrait, *, spec: Any, on: bool) -> list[Use]:
    """Whose people move once this trait is saved with `spec`: nobody's where it is
    new, or means what it meant."""
    known = ComputedTrait.objects.filter(pk=trait.pk).first()
    if known is None or (known.spec == spec and (on or not known.is_on)):
        return []
    return [use for use in list_users(known.key) if use.is_live]


def check_computed(data: Any, *, key: str) -> Definition:
    """The definition in `data`, whose tier is made of no other tier, or RuleError."""
    if key in TAKEN:
        raise RuleError("key", "choice", f"{key!r} is a column of the profile")
    definition = read_definition(data)
    if isinstance(definition, Tier) and isinstance(definition.of, TraitNumber):
        name = definition.of.trait
        other = ComputedTrait.objects.filter(key=name).exclude(trait_names=[])
        if name == key or other.exists():
            words = f"{name!r} is a tier of a trait itself"
            raise RuleError("spec.of.trait", "choice", words)
    return definition


def check_room() -> None:
    """RuleError where there are as many traits as there may be."""
    if ComputedTrait.objects.count() >= TRAITS_MAX:
        raise RuleError("key", "too_many", f"there are {TRAITS_MAX} traits already")


@transaction.atomic
def save_computed(
    trait: ComputedTrait, *, actor: Any, on: bool = True, confirmed: bool = False
) -> ComputedTrait:
    """Make or change a definition, or switch it.

    RuleError where it is wrong, TraitInUse where others ask for what changes and it was
    not `confirmed`.

    A changed one is a new version and built anew (`segments.tasks.build_traits`). Off
    takes the values away: one that is kept up no more would tell lies.
    """
    known = ComputedTrait.objects.select_for_update().filter(pk=trait.pk).first()
    if known is None:
        check_room()
    definition = check_computed(trait.spec, key=trait.key)
    uses = find_affected(trait, spec=trait.spec, on=on)
    if uses and not confirmed:
        raise TraitInUse(uses)
    edited = known is None or known.spec != trait.spec
    if edited:
        _take_definition(trait, definition, after=known)
    if known is None:
        trait.created_by = actor if hasattr(actor, "pk") else None
    else:
        trait.state, trait.done_to, trait.goal = known.state, known.done_to, known.goal
    was_on = known is None or known.is_on
    if on and (edited or not was_on):
        trait.begin(ComputedTrait.State.BUILDING, goal=find_last_contact())
    elif was_on and not on:
        trait.begin(ComputedTrait.State.CLEARING, goal=find_last_contact())
    trait.updated_at = timezone.now()
    trait.save()
    changes = {"version": trait.version, "spec": trait.spec, "on": on}
    if uses:
        changes["confirmed_for"] = [str(use) for use in uses]
    action = "edited" if known else "created"
    record_audit(actor=actor, action=action, on=trait, changes=changes)
    return trait


def _take_definition(
    trait: ComputedTrait, definition: Definition, *, after: ComputedTrait | None
) -> None:
    trait.version = after.version + 1 if after else 1
    mentions = definition.mentions()
    trait.summary = describe_definition(definition)
    trait.event_names = sorted(mentions.events)
    # Catalogs are looked at once a day: see `recheck_lookups`.
    trait.trait_names = sorted(mentions.traits - {CATALOG_CHANGED})


@transaction.atomic
def delete_computed(
    trait: ComputedTrait, *, actor: Any, confirmed: bool = False
) -> None:
    """The row goes when the last contact has lost the value.

    TraitInUse where others ask for it and it was not `confirmed`.
    """
    locked = ComputedTrait.objects.select_for_update().get(pk=trait.pk)
    uses = [use for use in list_users(locked.key) if use.is_live]
    if uses and not confirmed:
        raise TraitInUse(uses)
    locked.begin(ComputedTrait.State.LEAVING, goal=find_last_contact())
    locked.save(update_fields=["state", "done_to", "goal", "updated_at"])
    changes = {"confirmed_for": [str(use) for use in uses]} if uses else {}
    record_audit(actor=actor, action="deleted", on=trait, changes=changes)


def find_last_contact() -> int:
    return Contact.objects.aggregate(last=Max("pk"))["last"] or 0
