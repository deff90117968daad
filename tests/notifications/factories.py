"""The smallest campaign that runs: sender, topic, template, audience."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from crm.models import Brand, Contact
from notifications.campaigns.compose import Definition, Text, save_campaign
from notifications.channels.base import Outcome, OutgoingPush, SendResult
from notifications.delivery.plan import Audience, plan_deliveries
from notifications.models import Campaign, Delivery, FrequencyCap, QuietHours, Sender
from preferences.models import PreferenceCenter, Subscription, Topic
from tests.factories import make_contact, make_device

_numbers = itertools.count(1)


def make_brand() -> Brand:
    brand, _ = Brand.objects.get_or_create(
        slug="shop",
        defaults={"name": "Shop", "app_schemes": ["myapp"], "is_default": True},
    )
    return brand


def make_topic(key: str = "deals", **fields: Any) -> Topic:
    center, _ = PreferenceCenter.objects.get_or_create(brand=make_brand())
    fields.setdefault("name", key.title())
    fields.setdefault("number", next(_numbers))
    topic, _ = Topic.objects.get_or_create(center=center, key=key, defaults=fields)
    return topic


def make_sender(**fields: Any) -> Sender:
    fields.setdefault("name", f"Sender {next(_numbers)}")
    fields.setdefault("is_default", not Sender.objects.filter(is_default=True).exists())
    return Sender.objects.create(
        brand=make_brand(), channel="push", kind=Sender.Kind.SANDBOX, **fields
    )


def make_reachable(*, topic: Topic | None = None, **fields: Any) -> Contact:
    """A contact with a phone who said yes to the topic."""
    contact = make_contact(**fields)
    make_device(contact)
    topic = topic or make_topic()
    Subscription.objects.create(
        contact=contact,
        center=topic.center,
        topic=topic,
        channel="",
        state="subscribed",
        changed_at=timezone.now(),
    )
    return contact


def make_campaign(
    *, title: str = "Hello", body: str = "World", link: str = "", **columns: Any
) -> Campaign:
    """A draft push to everybody; columns go into its version."""
    if not Sender.objects.filter(is_default=True).exists():
        make_sender()
    columns.setdefault("topic", make_topic())
    fields = {"title": title, "body": body, "link": link}
    return save_campaign(
        Definition(f"Campaign {next(_numbers)}", columns, texts=(Text(fields),)),
        by="test",
    )


def plan_for(campaign: Campaign, *contacts: Contact, **fields: Any) -> list[Delivery]:
    """Plan this campaign's rows for these people, due now."""
    run_campaign(campaign)
    version = campaign.current_version
    sql = (
        "SELECT id AS contact_id, %s::text AS occurrence, %s::timestamptz AS due_at, "
        "'' AS due_local, '' AS due_zone, %s::uuid AS trigger_event_id, "
        "%s::timestamptz AS trigger_event_at FROM unnest(%s::bigint[]) AS id"
    )
    due = fields.pop("due_at", timezone.now() - timedelta(seconds=1))
    plan_deliveries(
        version,
        Audience(
            sql,
            (
                fields.pop("occurrence", ""),
                due,
                fields.pop("trigger_event_id", None),
                fields.pop("trigger_event_at", None),
                [contact.pk for contact in contacts],
            ),
        ),
    )
    return list(campaign.deliveries.order_by("contact_id"))


def run_campaign(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk, state="draft").update(
        state="running", launched_at=datetime.now(UTC)
    )
    campaign.refresh_from_db()


def lift_limits() -> None:
    """No quiet hours and no caps: for tests of something else."""
    QuietHours.objects.all().delete()
    FrequencyCap.objects.all().delete()


class LoggingChannel:
    """The outermost edge: answers by a script, and keeps what was posted."""

    def __init__(self, answer: Callable[[OutgoingPush], SendResult] | None = None):
        self.posted: list[OutgoingPush] = []
        self._answer = answer or answer_sent

    def send(
        self, messages: Sequence[OutgoingPush], *, deadline_s: float
    ) -> Iterator[tuple[int, SendResult]]:
        for index, message in enumerate(messages):
            self.posted.append(message)
            yield index, self._answer(message)


def answer_sent(message: OutgoingPush) -> SendResult:
    return answer_with(Outcome.SENT, provider_id=f"m/{message.delivery_id}")


def answer_with(outcome: Outcome, **fields: Any) -> SendResult:
    return SendResult(outcome=outcome, started_at=datetime.now(UTC), **fields)
