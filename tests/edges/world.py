"""One small shop in which each table that the admin shows has a row, where it can."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import time, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from django_celery_beat.models import (
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
)

from crm.catalog.items import save_items
from crm.events.merge import merge_contacts
from crm.imports.jobs import start_import
from crm.models import (
    Brand,
    Contact,
    CountedDay,
    DataFix,
    EventDay,
    EventName,
    Feed,
    PendingEvent,
    PlannedEvent,
    PropertyKind,
    RejectedItem,
)
from crm.models.audit import record_audit
from notifications.campaigns.compose import Definition, Text, save_campaign
from notifications.models import (
    Alert,
    Campaign,
    Delivery,
    FrequencyCap,
    QuietHours,
    Switch,
)
from preferences.centers import ensure_default_center
from preferences.consent import Choice, record_choices
from preferences.models import PreferenceCenter, PreferenceLink, Suppression, Topic
from segments.editing import save_segment
from segments.models import Segment
from tests.factories import (
    make_api_key,
    make_catalog,
    make_contact,
    make_device,
    make_event,
    make_product,
    make_purchase,
    make_sender,
)


@dataclass(frozen=True, slots=True)
class World:
    contact: Contact
    center: PreferenceCenter
    topic: Topic
    segment: Segment
    campaign: Campaign
    delivery: Delivery
    staff: User


def make_world(text: str = "Ada", *, key: str = "deals") -> World:
    """A shop whose texts of every kind, typed or sent, hold `text`."""
    staff = User.objects.create(username="root", is_staff=True, is_superuser=True)
    sender = make_sender()
    center = ensure_default_center(sender.brand)
    topic, _ = Topic.objects.update_or_create(
        center=center, key=key, defaults={"name": text[:80], "number": 99}
    )
    contact = make_known(text)
    segment = save_segment(
        name=text[:80], rule=build_rule(text), actor=staff, description=text
    )
    campaign = write_campaign(text, topic=topic, segment=segment, by=staff)
    delivery = send_one(campaign, contact)
    make_rules(text, staff=staff, contact=contact, topic=topic)
    record_choices(
        contact,
        center=center,
        changes=[Choice("push", topic.key, subscribed=True)],
        at=timezone.now(),
        actor="self",
        source="page",
    )
    return World(contact, center, topic, segment, campaign, delivery, staff)


def make_known(text: str) -> Contact:
    """A person, their phone, what they did, what is sold."""
    traits = {"first_name": text, "plan": text, "note": text, "city": text}
    contact = make_contact(
        f"id {text}", traits=traits, traits_at=dict.fromkeys(traits, 1.0)
    )
    make_device(contact, name=text[:100], app_version=text[:20])
    make_purchase(contact, text[:255], placed=10, refunded=20)
    make_event(
        contact,
        text[:200],
        properties={"product": text, text[:100]: text},
        occurred_at=timezone.now() - timedelta(hours=1),
    )
    EventName.objects.create(name=text[:200], properties=[text[:100]])
    make_findings(text)
    make_product("sku-1", name=text, attributes={"color": text})
    shelf = make_catalog(name=text[:100])
    save_items(
        shelf,
        [{"code": text[:100], "name": text, "category": text[:200]}],
        source="test",
        at=timezone.now(),
    )
    Feed.objects.create(catalog=shelf, url=text, error=text, result="failed")
    make_api_key("read")
    make_import(text)
    PendingEvent.objects.create(
        event_id=uuid.uuid4(),
        occurred_at=timezone.now(),
        contact=contact,
        name=text[:200],
        quarantined_at=timezone.now(),
        last_error=text,
    )
    return contact


def make_findings(text: str) -> None:
    """What the data quality page tells: a count, two kinds, a refusal."""
    today, name = timezone.now().date(), text[:200]
    day = CountedDay.objects.create(counted_on=today - timedelta(days=1), events=1)
    EventDay.objects.create(
        counted_on=day.counted_on, name=name, source="test", library=text[:64], events=1
    )
    for kind in ("text", "number"):
        PropertyKind.objects.create(name=name, property=text[:200], kind=kind)
    DataFix.objects.create(kind=DataFix.Kind.IGNORE, name=name, key=text[:200])
    expected = [{"name": text[:200], "type": "number", "required": True}]
    PlannedEvent.objects.create(name=name, description=text, properties=expected)
    RejectedItem.objects.create(
        seen_on=today,
        source="test",
        code="required",
        path=text[:200],
        message=text[:300],
        sample=text[:600],
    )


def make_import(text: str) -> None:
    """A file that waits for its columns, with a row that was refused once."""
    lines = [f'"{cell}"' for cell in ("id", *[text.replace('"', '""')] * 2)]
    file = BytesIO("\n".join([",".join(lines), ",".join(lines)]).encode())
    job = start_import(
        file, kind="contacts", name=text, actor="root", at=timezone.now()
    )
    job.problems.create(
        line=2, column=text[:200], code="x", message=text[:500], cells=[text]
    )


def build_rule(text: str) -> dict[str, Any]:
    value = text.strip()
    often = {"op": "at_least", "n": 1}
    return {
        "version": 1,
        "root": {
            "any": [
                {"type": "attribute", "trait": "plan", "op": "equals", "value": value},
                {"type": "event", "name": value[:200], "count": often},
            ]
        },
    }


def write_campaign(text: str, *, topic: Topic, segment: Segment, by: User) -> Campaign:
    columns = {
        "kind": "once",
        "segment": segment,
        "topic": topic,
        "purpose_class": "promotional",
        "sender": make_sender(),
        "goal_event": text[:200],
    }
    # Braces would be Liquid, which is checked when it is saved.
    body = text[:200].replace("{", "(").replace("}", ")")
    said = {"title": "Hello {{ customer.first_name }}", "body": body}
    return save_campaign(Definition(text[:80], columns, texts=(Text(said),)), by=by)


def send_one(campaign: Campaign, contact: Contact) -> Delivery:
    now = timezone.now()
    version = campaign.current_version
    assert version is not None
    assert version.sender is not None
    return Delivery.objects.create(
        campaign=campaign,
        source_kind=Delivery.SourceKind.CAMPAIGN,
        source_id=campaign.pk,
        contact=contact,
        campaign_version=version,
        sender=version.sender,
        channel=version.channel,
        origin=campaign.origin,
        relevance=version.relevance,
        purpose_class=version.purpose_class,
        state=Delivery.State.SENT,
        due_at=now,
        expires_at=now + timedelta(days=1),
        created_at=now,
        first_claimed_at=now,
        gated_at=now,
        sent_at=now,
        finished_at=now,
    )


def make_rules(text: str, *, staff: User, contact: Contact, topic: Topic) -> None:
    """What staff set and what the machine tells them."""
    FrequencyCap.objects.create(name=text[:100], kind="rolling", topic=topic)
    QuietHours.objects.create(name=text[:100], starts=time(22), ends=time(8))
    Switch.objects.create(scope="channel:sms", reason=text[:300], stopped_by=staff)
    Alert.objects.create(cause=text[:100], text=text[:500])
    Suppression.objects.create(
        contact=contact, channel="sms", reason="manual", note=text[:200], actor="root"
    )
    PreferenceLink.objects.create(contact=contact)
    schedule, _ = IntervalSchedule.objects.get_or_create(every=7, period="days")
    CrontabSchedule.objects.create(minute="1")
    PeriodicTask.objects.create(name="a tick", task="x", interval=schedule)
    record_audit(actor=staff, action="edited", on=contact, changes={"note": text})
    Brand.objects.create(name=text[:100], slug="second")
    double = make_contact(f"double {text}", traits={"name": text})
    merge_contacts(
        source_id=double.pk, target_id=contact.pk, actor=staff, reason=text[:200]
    )


def forget_log(settings: Any, path: Path) -> None:
    settings.SANDBOX, settings.SANDBOX_LOG = True, path / "log.jsonl"
