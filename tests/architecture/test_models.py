"""Nothing is stored that staff cannot see and a person cannot have erased."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.contrib import admin
from django.db import models

from crm.models import Contact
from crm.ports.personal_data import personal_data_holders
from tests.architecture.source import APPS

# Shown on the page of what they belong to, or machinery with nothing to read.
NOT_IN_ADMIN = {
    "crm.CatalogChange": "on the item's page",
    "crm.ComputedClock": "when a computed trait changes by time alone",
    "crm.CountedDay": "on the data quality page",
    "crm.DuplicateSuspect": "on the data quality page",
    "crm.PropertyKind": "on the data quality page",
    "crm.RejectedItem": "on the data quality page",
    "crm.OrderEntry": "on the order's page",
    "crm.SubscriptionEntry": "on the subscription's page",
    "crm.Product": "items of the catalog of products",
    "crm.Identifier": "on the contact's page",
    "crm.ImportPart": "the file of an import",
    "crm.ImportProblem": "on the import's page",
    "crm.ImportTouch": "what an undo of an import needs",
    "crm.MergeJournal": "what an undo on the merge's page needs",
    "crm.MessageKey": "the seven days' memory of message ids: hashes",
    "crm.IdempotentCall": "answers kept a day for programs that ask twice",
    "crm.RateBucket": "what is left of each rate limit, for a second or two",
    "preferences.LinkGuess": "counts wrong links per network, for an hour",
    "preferences.Topic": "rows of the preference center's page",
    "segments.ContactClock": "when a membership changes by time alone",
    "segments.ContactStage": "on the lifecycle's and the contact's page",
    "segments.JudgedContact": "whom a segment was asked about",
    "segments.Membership": "on the segment's and the contact's page",
    "segments.MembershipChange": "on the segment's and the contact's page",
    "segments.StageChange": "on the lifecycle's and the contact's page",
    "segments.StageClock": "when a stage changes by time alone",
    "segments.SegmentVersion": "on the segment's page",
    "notifications.ApiSend": "on the message's page",
    "notifications.Attempt": "on the message's page",
    "notifications.Breaker": "on the sender's page",
    "notifications.CampaignVersion": "on the campaign's page",
    "notifications.Conversion": "on the message's page and in reports",
    "notifications.Engagement": "on the message's page and in reports",
    "notifications.RenderedMessage": "on the message's page",
    "notifications.TemplateContent": "on the template's page",
    "notifications.TemplateVersion": "on the template's page",
}
NO_HOLDER: dict[str, str] = {}


def test_every_model_is_in_the_admin_or_exempt_with_a_reason() -> None:
    admin.autodiscover()
    shown = {model._meta.label for model in admin.site._registry}
    ours = {model._meta.label for model in list_models()}

    assert ours - shown == set(NOT_IN_ADMIN)


def test_every_model_with_a_contact_has_a_holder_of_its_personal_data() -> None:
    held = {label for holder in personal_data_holders() for label in holder.models}
    personal = {model._meta.label for model in list_models() if _names_person(model)}

    assert {x for x in personal if x.lower() not in held} == set(NO_HOLDER)


def test_every_holder_names_models_that_exist_and_none_is_held_twice() -> None:
    held = [label for holder in personal_data_holders() for label in holder.models]
    ours = {model._meta.label_lower for model in list_models()}

    assert sorted(held) == sorted(set(held))
    assert set(held) <= ours


def test_every_model_says_what_it_is() -> None:
    # Django writes "Name(field, …)" where nobody wrote anything.
    silent = [
        model._meta.label
        for model in list_models()
        if (model.__doc__ or "").startswith(f"{model.__name__}(")
    ]

    assert silent == []


def test_every_constraint_has_a_name_that_says_what_must_not_be() -> None:
    unnamed = [
        f"{model._meta.label}: {constraint.name}"
        for model in list_models()
        for constraint in model._meta.constraints
        if not constraint.name or "%" in constraint.name
    ]

    assert unnamed == []


def list_models() -> Iterator[type[models.Model]]:
    for app in APPS:
        yield from apps.get_app_config(app).get_models()


def _names_person(model: type[models.Model]) -> bool:
    return (
        model is Contact
        or any(
            getattr(field, "remote_field", None) and field.related_model is Contact
            for field in model._meta.concrete_fields
        )
        or any(f.name == "contact_uuid" for f in model._meta.concrete_fields)
    )
