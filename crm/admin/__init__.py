"""Staff pages of the system of record: declarations over the actions' functions."""

from crm.admin import (  # noqa: F401
    api_key,
    audit,
    brand,
    catalog,
    catalog_item,
    computed,
    contact,
    data_fix,
    device,
    event,
    exports,
    feed,
    imports,
    merge,
    order,
    pending_event,
    planned_event,
    quality,
    subscription,
    tombstone,
)
