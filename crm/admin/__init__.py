"""Staff pages of the system of record: declarations over the actions' functions."""

from crm.admin import (  # noqa: F401
    api_key,
    audit,
    brand,
    contact,
    device,
    event,
    merge,
    pending_event,
    product,
)
