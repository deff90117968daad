"""Transactional: one message to one person, asked for by a program.

It takes the one road of every message: a row first, then route, render, gate, POST.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn

from django.core.exceptions import ValidationError
from django.db import transaction

from crm.clock import read_clock
from crm.events.addresses import find_person
from crm.events.naming import Address
from crm.models import Contact, Device
from notifications.campaigns.compose import clean_fields
from notifications.models import ApiSend, Delivery, Sender, Template
from notifications.models.channel import Channel, Origin, PurposeClass, Relevance

# A receipt that could not leave for this long is no news any more.
LIFE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Order:
    """What to send, to whom. `template`: a name, a number, or '' for `texts` alone."""

    address: Address
    template: str | int = ""
    texts: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    # Null: now.
    send_at: datetime | None = None
    target: str = ApiSend.ALL_DEVICES
    locale: str = ""
    keeps_text: bool = True


@transaction.atomic
def send_transactional(order: Order, *, by: str) -> Delivery:
    """Write the message's row: each call is one.

    1. person, template, texts, device: what is wrong is named
    2. the delivery and what was said with it. The caller rings after the commit.

    Raises ValidationError with the field at fault.
    """
    contact = find_recipient(order)
    template = find_template(order.template) if order.template else None
    texts = clean_texts(order)
    sender = Sender.objects.default_for(Channel.PUSH)
    if sender is None:
        raise ValidationError("There is no sender for push yet.", code="no_sender")
    delivery = build_delivery(order, contact, template=template, sender=sender)
    delivery.save(force_insert=True)
    ApiSend.objects.create(
        delivery=delivery,
        data=order.data,
        texts=texts,
        target=order.target,
        locale=order.locale,
        keeps_text=order.keeps_text,
        actor=by,
    )
    return delivery


def find_recipient(order: Order) -> Contact:
    person = find_person(order.address)
    if person is None:
        refuse(f"identifiers.{order.address.kind}", "Nobody is known by this.")
    named = order.target not in (ApiSend.ALL_DEVICES, ApiSend.LAST_USED)
    if named and not Device.objects.filter(contact=person, token=order.target).exists():
        refuse("to", "This person has no device with this token.")
    return person


def find_template(wanted: str | int) -> Template:
    """By name without case, or by number; only one that is transactional and has
    a push: a promotional text needs the consent that a campaign asks for."""
    by_number = isinstance(wanted, int)
    found = Template.objects.filter(
        **({"pk": wanted} if by_number else {"name__iexact": wanted})
    ).select_related("current_version")
    template = found.first()
    path = "transactional_message_id"
    if template is None or template.current_version is None:
        refuse(path, "There is no template with this name or number.")
    if template.purpose_class != PurposeClass.TRANSACTIONAL:
        refuse(path, "This template is promotional: send it with a campaign.")
    if not template.current_version.contents.filter(channel=Channel.PUSH).exists():
        refuse(path, "This template has no push.")
    return template


def clean_texts(order: Order) -> dict[str, Any]:
    """The texts said inline, checked as a template's are; those not said are absent."""
    if not order.template and not (order.texts.get("title") or order.texts.get("body")):
        refuse("transactional_message_id", "Name a template, or say title or message.")
    cleaned = clean_fields(order.texts)
    return {name: cleaned[name] for name in order.texts}


def refuse(path: str, message: str) -> NoReturn:
    raise ValidationError({path: [message]})


def build_delivery(
    order: Order, contact: Contact, *, template: Template | None, sender: Sender
) -> Delivery:
    now = read_clock()
    due_at = max(order.send_at or now, now)
    delivery = Delivery(
        source_kind=Delivery.SourceKind.TRANSACTIONAL,
        source_id=template.pk if template else 0,
        contact=contact,
        template_version=template.current_version if template else None,
        sender=sender,
        channel=Channel.PUSH,
        origin=Origin.MANUAL,
        relevance=Relevance.PERSONAL,
        purpose_class=PurposeClass.TRANSACTIONAL,
        due_at=due_at,
        expires_at=due_at + LIFE,
    )
    # Each call is a message of its own: the API knows which one is a repeat.
    delivery.occurrence = str(delivery.pk)
    return delivery
