"""The sources of events that we make ourselves: nobody did anything. Pure."""

from __future__ import annotations

from typing import Final

# A change in a catalog that concerns somebody.
BY_CATALOG: Final = "catalog"
# What time alone says of subscriptions.
BY_TIME: Final = "subscriptions"
OURS: Final = (BY_CATALOG, BY_TIME)
