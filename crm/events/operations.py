"""What a foreign wire asks to be done to people, as plain data. Pure.

`crm.track` does it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from crm.events.naming import Address
from crm.events.schema import Item


class Call(msgspec.Struct, frozen=True):
    """Something said about one person; `item` has no keys yet.

    `address` is None for an anonymous event, which carries its own key.
    """

    address: Address | None
    item: Item
    # identify: further keys that lead to this person from now on.
    new_id: str = ""
    anonymous_id: str = ""
    # identify: do nothing where nobody is known by this address.
    only_known: bool = False


class DeviceSeen(msgspec.Struct, frozen=True):
    address: Address
    token: str
    platform: str
    seen_at: datetime
    permission: str | None
    locale: str
    time_zone: str
    app_version: str
    name: str
    # What else was said of it.
    attributes: dict[str, Any]


class DeviceGone(msgspec.Struct, frozen=True):
    address: Address
    token: str


class Merge(msgspec.Struct, frozen=True):
    """`secondary` goes, `primary` stays."""

    primary: Address
    secondary: Address


class Deletion(msgspec.Struct, frozen=True):
    address: Address


Operation = Call | DeviceSeen | DeviceGone | Merge | Deletion
