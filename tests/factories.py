"""Plain `make_*` factories: the smallest valid row, anything else by keyword."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from crm.catalog.catalogs import find_products_catalog
from crm.models import (
    ApiKey,
    Brand,
    Catalog,
    CatalogItem,
    Contact,
    Device,
    Event,
    Identifier,
    Order,
    OrderEntry,
    Product,
)
from crm.purchases.books import ORDERS, refold
from notifications.models import Campaign, CampaignVersion, Delivery, Sender

_numbers = itertools.count(1)
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def make_contact(external_id: str | None = "", **fields: Any) -> Contact:
    """A known contact with its identifiers; an anonymous one for None."""
    if external_id == "":
        external_id = f"user-{next(_numbers)}"
    contact = Contact.objects.create(external_id=external_id, **fields)
    if external_id:
        Identifier.objects.create(
            contact=contact, kind=Identifier.Kind.EXTERNAL_ID, value=external_id
        )
    else:
        Identifier.objects.create(
            contact=contact,
            kind=Identifier.Kind.ANONYMOUS_ID,
            value=f"anon-{next(_numbers)}",
        )
    if contact.email:
        Identifier.objects.create(
            contact=contact, kind=Identifier.Kind.EMAIL, value=contact.email.lower()
        )
    return contact


def make_device(contact: Contact | None = None, **fields: Any) -> Device:
    """A reachable Android device."""
    fields.setdefault("token", f"token-{next(_numbers)}")
    fields.setdefault("platform", Device.Platform.ANDROID)
    fields.setdefault("permission", Device.Permission.GRANTED)
    return Device.objects.create(contact=contact or make_contact(), **fields)


def make_event(contact: Contact, name: str = "Order Completed", **fields: Any) -> Event:
    fields.setdefault("occurred_at", NOON)
    fields.setdefault("message_id", f"message-{next(_numbers)}")
    fields.setdefault("source", "test")
    return Event.objects.create(contact=contact, name=name, **fields)


def make_purchase(contact: Contact, number: str, **amounts: Any) -> Order:
    """An order of euros at noon, by kind of entry: `placed=100, refunded=30`."""
    for kind, amount in amounts.items():
        OrderEntry.objects.create(
            contact=contact,
            number=number,
            kind=kind,
            at=NOON,
            event_id=uuid.uuid4(),
            message_id=f"message-{next(_numbers)}",
            amount=amount,
            currency="EUR",
        )
    refold(ORDERS, [(contact.pk, number)])
    return Order.objects.get(contact=contact, number=number)


def make_product(code: str = "", **fields: Any) -> Product:
    code = code or f"sku-{next(_numbers)}"
    fields.setdefault("name", f"Product {code}")
    fields.setdefault("price", Decimal("9.90"))
    return Product.objects.create(catalog=find_products_catalog(), code=code, **fields)


def make_catalog(slug: str = "", **fields: Any) -> Catalog:
    """A catalog of articles whose items take any attribute."""
    slug = slug or f"catalog-{next(_numbers)}"
    fields = {"name": slug.title(), "kind": Catalog.Kind.ARTICLES, **fields}
    return Catalog.objects.create(slug=slug, **fields)


def make_item(catalog: Catalog, code: str = "", **fields: Any) -> CatalogItem:
    code = code or f"item-{next(_numbers)}"
    fields.setdefault("name", f"Item {code}")
    return CatalogItem.objects.create(catalog=catalog, code=code, **fields)


def make_api_key(*scopes: str) -> str:
    """The secret of a new key; scope `track` where none is named."""
    _, secret = ApiKey.issue(name="test", scopes=list(scopes or ("track",)))
    return secret


def make_sender(**fields: Any) -> Sender:
    """The default push sender, in the sandbox; made once."""
    brand, _ = Brand.objects.get_or_create(
        slug="acme", defaults={"name": "Acme", "is_default": True}
    )
    fields = {"channel": "push", "kind": Sender.Kind.SANDBOX, **fields}
    name = fields.pop("name", "Acme push")
    return Sender.objects.get_or_create(name=name, defaults={"brand": brand, **fields})[
        0
    ]


def make_campaign(
    name: str = "", *, state: str = "running", **version: Any
) -> Campaign:
    """A campaign with one version; transactional, so that it needs no topic."""
    campaign = Campaign.objects.create(
        name=name or f"Campaign {next(_numbers)}", state=state, launched_at=NOON
    )
    version = {"purpose_class": "transactional", "sender": make_sender(), **version}
    campaign.current_version = CampaignVersion.objects.create(
        campaign=campaign, number=1, **version
    )
    campaign.save(update_fields=["current_version"])
    return campaign


def make_delivery(
    campaign: Campaign, contact: Contact | None = None, **fields: Any
) -> Delivery:
    """A message of the campaign; sent at noon where nothing else is said."""
    version = campaign.current_version
    assert version is not None
    fields = {
        "source_kind": Delivery.SourceKind.CAMPAIGN,
        "source_id": campaign.pk,
        "contact": contact or make_contact(),
        "campaign_version": version,
        "sender": make_sender(),
        "channel": version.channel,
        "origin": campaign.origin,
        "relevance": version.relevance,
        "purpose_class": version.purpose_class,
        "state": Delivery.State.SENT,
        "due_at": NOON,
        "expires_at": NOON + timedelta(days=1),
        "created_at": NOON,
        **fields,
    }
    if fields["state"] in ("sent", "sending", "unknown"):
        fields = {"first_claimed_at": NOON, "gated_at": NOON, **fields}
    if fields["state"] == "sent":
        fields = {"sent_at": NOON, "finished_at": NOON, **fields}
    return Delivery.objects.create(campaign=campaign, **fields)
