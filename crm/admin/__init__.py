"""Staff pages of the system of record: declarations over the actions' functions."""

from crm.admin import (  # noqa: F401
    api_key,
    audit,
    brand,
    catalog,
    catalog_item,
    contact,
    data_fix,
    device,
    event,
    exports,
    feed,
    imports,
    merge,
    pending_event,
    planned_event,
    quality,
)
