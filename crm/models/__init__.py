"""What is known: contacts, devices, events, catalogs, brands, keys, audit.

One topic per file; querysets speak the business's words.
"""

from crm.models.api_key import ApiKey
from crm.models.audit import AuditEntry
from crm.models.brand import Brand
from crm.models.catalog import Catalog, CatalogChange, CatalogItem
from crm.models.computed import ComputedClock, ComputedTrait
from crm.models.contact import Contact, Identifier
from crm.models.data_fix import DataFix
from crm.models.device import Device
from crm.models.event import Event, EventName, MessageKey, PendingEvent
from crm.models.export_link import ExportLink
from crm.models.feed import Feed
from crm.models.idempotency import IdempotentCall
from crm.models.import_job import ImportJob, ImportPart, ImportProblem, ImportTouch
from crm.models.merge import Merge, MergeJournal
from crm.models.planned_event import PlannedEvent
from crm.models.product import Product
from crm.models.purchase import Order, OrderEntry
from crm.models.quality import (
    CountedDay,
    DuplicateSuspect,
    EventDay,
    PropertyKind,
    RejectedItem,
)
from crm.models.rate import RateBucket
from crm.models.subscription import Subscription, SubscriptionEntry
from crm.models.tombstone import Tombstone

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Brand",
    "Catalog",
    "CatalogChange",
    "CatalogItem",
    "ComputedClock",
    "ComputedTrait",
    "Contact",
    "CountedDay",
    "DataFix",
    "Device",
    "DuplicateSuspect",
    "Event",
    "EventDay",
    "EventName",
    "ExportLink",
    "Feed",
    "IdempotentCall",
    "Identifier",
    "ImportJob",
    "ImportPart",
    "ImportProblem",
    "ImportTouch",
    "Merge",
    "MergeJournal",
    "MessageKey",
    "Order",
    "OrderEntry",
    "PendingEvent",
    "PlannedEvent",
    "Product",
    "PropertyKind",
    "RateBucket",
    "Subscription",
    "SubscriptionEntry",
    "RejectedItem",
    "Tombstone",
]
