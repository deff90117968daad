"""Route: which devices, which language. Reads only; the gate asks again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm.clock import read_clock
from crm.models import Contact, Device
from notifications.decisioning.facts import list_reachable, read_devices
from notifications.models import Breaker, CampaignVersion, Delivery, Sender


@dataclass(frozen=True, slots=True)
class Route:
    """Where one delivery would go; no devices means there is nowhere."""

    contact: Contact
    devices: tuple[Device, ...]
    locale: str
    # Set where every device stands behind an open breaker: try again then.
    blocked_until: datetime | None = None
    # Platforms behind an open breaker; the gate passes over the same ones.
    blocked: frozenset[str] = frozenset()

    @property
    def addresses(self) -> tuple[tuple[int, str], ...]:
        """Device ids and addresses, to see whether the route changed."""
        return tuple((device.pk, device.address) for device in self.devices)

    def keep_open(self, devices: Sequence[Device]) -> list[Device]:
        """Those that were behind no open breaker when the route was chosen."""
        return [device for device in devices if device.platform not in self.blocked]


def route_deliveries(
    deliveries: Sequence[Delivery], *, sender: Sender
) -> dict[uuid.UUID, Route]:
    """A route for each delivery; three queries."""
    ids = sorted({row.contact_id for row in deliveries})
    contacts = Contact.objects.in_bulk(ids)
    devices = read_devices(ids)
    at = read_clock()
    blocked = dict(
        Breaker.objects.blocking(at)
        .filter(sender=sender)
        .exclude(platform="")
        .values_list("platform", "open_until")
    )
    return {
        row.pk: _choose_route(
            row,
            contact=contacts[row.contact_id],
            reachable=list_reachable(devices.get(row.contact_id, ()), at=at),
            blocked=blocked,
        )
        for row in deliveries
    }


def _choose_route(
    row: Delivery,
    *,
    contact: Contact,
    reachable: Sequence[Device],
    blocked: Mapping[str, datetime],
) -> Route:
    open_ones = [device for device in reachable if device.platform not in blocked]
    if reachable and not open_ones:
        until = min(blocked[device.platform] for device in reachable)
        return Route(contact, (), contact.locale, blocked_until=until)
    chosen = select_devices(row, open_ones)
    own = next((device.locale for device in chosen if device.locale), "")
    asked = row.said_by_api.locale if row.said_by_api else ""
    locale = asked or contact.locale or own
    return Route(contact, chosen, locale, blocked=frozenset(blocked))


def select_devices(row: Delivery, reachable: Sequence[Device]) -> tuple[Device, ...]:
    """What the campaign or the API call says: all, one by its token, or the one used
    last."""
    said, version = row.said_by_api, row.campaign_version
    if said is not None and said.target not in (said.ALL_DEVICES, said.LAST_USED):
        return tuple(device for device in reachable if device.token == said.target)
    every = (said is not None and said.target == said.ALL_DEVICES) or (
        version is not None
        and version.device_target == CampaignVersion.DeviceTarget.ALL
    )
    return tuple(reachable if every else reachable[:1])
