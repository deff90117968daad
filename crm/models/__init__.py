"""What is known: contacts, devices, events, catalogs, brands, keys, audit.

One topic per file; querysets speak the business's words.
"""

from crm.models.api_key import ApiKey
from crm.models.audit import AuditEntry
from crm.models.brand import Brand
from crm.models.catalog import Catalog, CatalogChange, CatalogItem
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
from crm.models.quality import (
    CountedDay,
    DuplicateSuspect,
    EventDay,
    PropertyKind,
    RejectedItem,
)
from crm.models.rate import RateBucket

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Brand",
    "Catalog",
    "CatalogChange",
    "CatalogItem",
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
    "PendingEvent",
    "PlannedEvent",
    "Product",
    "PropertyKind",
    "RejectedItem",
    "RateBucket",
]
