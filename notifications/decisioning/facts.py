"""Facts: everything `decide` needs, in a fixed number of queries per batch.

The gate calls this with the contacts locked, so nothing it reads about consent,
erasure or merging can change until the decision is written.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from crm.clock import read_clock
from crm.models import Contact, Device
from notifications.decisioning.decide import Facts
from notifications.decisioning.exits import Exit, find_exits
from notifications.decisioning.frequency import CapRule, PastSend, find_horizon
from notifications.decisioning.quiet_hours import QuietWindow
from notifications.decisioning.zones import resolve_zone
from notifications.models import (
    Attempt,
    Campaign,
    Delivery,
    FrequencyCap,
    QuietHours,
    Sender,
    Switch,
)
from preferences.permission import Permission, PurposeClass, permissions_for
from segments.models import Membership


@dataclass(slots=True)
class BatchFacts:
    """What was read about one batch; `facts_for` puts one row's together."""

    at: datetime
    sender: Sender
    contacts: Mapping[int, Contact]
    devices: Mapping[int, Sequence[Device]]
    campaigns: Mapping[int, str]
    stopped: Mapping[str, str]
    permissions: Mapping[uuid.UUID, Permission]
    exits: Mapping[uuid.UUID, Exit]
    members: set[tuple[int, int]]
    sends: defaultdict[int, list[PastSend]]
    caps: tuple[CapRule, ...]
    quiet: tuple[QuietHours, ...]

    def facts_for(self, row: Delivery) -> Facts:
        """The facts of one delivery; no query."""
        contact = self.contacts[row.contact_id]
        version = row.campaign_version
        permission = self.permissions[row.pk]
        leaving = self.exits.get(row.pk)
        segment_id = version.segment_id if version else None
        # A test send is staff's own question: no audience, no caps, no quiet hours.
        test = row.source_kind == Delivery.SourceKind.TEST
        asked = bool(version and version.recheck_audience and segment_id) and not test
        zone, _ = resolve_zone(self._zone_candidates(contact))
        return Facts(
            now=self.at,
            expires_at=row.expires_at,
            erased=contact.erased_at is not None,
            merged=contact.canonical_id is not None,
            source_state="running"
            if test
            else self.campaigns.get(row.campaign_id or 0, "running"),
            switch_off=self._switch(row),
            permission_allowed=permission.allowed or test,
            permission_reason=permission.reason or None,
            permission_detail=permission.detail,
            address=self.address_of(contact),
            purpose=row.purpose_class,
            exit_reason=leaving.reason if leaving and not test else None,
            exit_detail=leaving.detail if leaving else "",
            in_audience=(segment_id, contact.pk) in self.members if asked else None,
            minor_blocked=False,
            quiet_windows=self._quiet_windows(row),
            quiet_policy=version.quiet_policy if version else "hold",
            zone=zone,
            caps=self.caps,
            sends=tuple(self.sends[contact.pk]),
            on_cap=version.cap_policy if version else "drop",
            retry_until=row.expires_at,
            channel=row.channel,
            topic_id=row.topic_id,
            run_id=None,
            exempt_caps=test or bool(version and version.ignores_caps),
            exempt_quiet=test,
            rate_free_at=None,
        )

    def note_send(self, row: Delivery) -> None:
        """Count a decision to send for the rows of the same person behind it."""
        version = row.campaign_version
        counts = version.counts_in_caps if version else True
        self.sends[row.contact_id].append(
            PastSend(
                at=self.at,
                channel=row.channel,
                topic_id=row.topic_id,
                run_id=None,
                counts=counts,
            )
        )

    def address_of(self, contact: Contact) -> str:
        """'ok', 'denied', 'dead' or 'none' for a push to this person."""
        devices = self.devices.get(contact.pk, ())
        if not devices:
            return "none"
        if list_reachable(devices, at=self.at):
            return "ok"
        denied = any(
            device.state == Device.State.ACTIVE
            and device.permission == Device.Permission.DENIED
            for device in devices
        )
        return "denied" if denied else "dead"

    def _zone_candidates(self, contact: Contact) -> list[tuple[str, str]]:
        # The phone they have, not one they had: as a run at local times does.
        active = [
            device
            for device in self.devices.get(contact.pk, ())
            if device.state == Device.State.ACTIVE
        ]
        return [
            ("profile", contact.time_zone),
            *(("device", device.time_zone) for device in active),
            ("brand", self.sender.brand.time_zone),
        ]

    def _switch(self, row: Delivery) -> str:
        scopes = (Switch.ALL, f"channel:{row.channel}", f"sender:{row.sender_id}")
        return next((scope for scope in scopes if scope in self.stopped), "")

    def _quiet_windows(self, row: Delivery) -> tuple[QuietWindow, ...]:
        return tuple(
            QuietWindow(hours.starts, hours.ends)
            for hours in self.quiet
            if hours.topic_id in (None, row.topic_id)
            and hours.channel in ("", row.channel)
        )


def list_reachable(devices: Sequence[Device], *, at: datetime) -> list[Device]:
    """Devices of one person that a push may go to, last used first."""
    return [device for device in devices if device.is_reachable(at)]


def read_devices(contact_ids: Sequence[int]) -> dict[int, list[Device]]:
    """All devices of these contacts, last used first; one query."""
    found: dict[int, list[Device]] = defaultdict(list)
    rows = Device.objects.filter(contact_id__in=contact_ids).last_used_first()
    for device in rows:
        found[device.contact_id].append(device)
    return found


def gather_facts(
    deliveries: Sequence[Delivery], *, sender: Sender, contacts: Sequence[Contact]
) -> BatchFacts:
    """Read everything about a batch whose contacts the caller has locked."""
    ids = sorted({row.contact_id for row in deliveries})
    at = read_clock()
    caps = _read_caps()
    return BatchFacts(
        at=at,
        sender=sender,
        contacts={contact.pk: contact for contact in contacts},
        devices=read_devices(ids),
        campaigns=dict(
            Campaign.objects.filter(
                pk__in={row.campaign_id for row in deliveries if row.campaign_id}
            ).values_list("pk", "state")
        ),
        stopped=Switch.objects.stopped_scopes(),
        permissions=_read_permissions(deliveries, at=at),
        exits=find_exits(deliveries),
        members=_read_members(deliveries),
        sends=_read_sends(ids, since=find_horizon(caps, at=at)),
        caps=caps,
        quiet=tuple(QuietHours.objects.all()),
    )


def _read_permissions(
    deliveries: Sequence[Delivery], *, at: datetime
) -> dict[uuid.UUID, Permission]:
    groups: dict[tuple[int | None, str, str], list[Delivery]] = defaultdict(list)
    for row in deliveries:
        groups[row.topic_id, row.channel, row.purpose_class].append(row)
    answers: dict[uuid.UUID, Permission] = {}
    for (topic_id, channel, purpose_class), rows in groups.items():
        allowed = permissions_for(
            [row.contact_id for row in rows],
            center_id=None,
            topic_id=topic_id,
            channel=channel,
            purpose_class=cast(PurposeClass, purpose_class),
            at=at,
        )
        answers |= {row.pk: allowed[row.contact_id] for row in rows}
    return answers


def _read_members(deliveries: Sequence[Delivery]) -> set[tuple[int, int]]:
    wanted = {
        (row.campaign_version.segment_id, row.contact_id)
        for row in deliveries
        if row.campaign_version and row.campaign_version.segment_id
    }
    if not wanted:
        return set()
    rows = Membership.objects.filter(
        segment_id__in={segment_id for segment_id, _ in wanted},
        contact_id__in={contact_id for _, contact_id in wanted},
    )
    return set(rows.values_list("segment_id", "contact_id"))


def _read_sends(
    contact_ids: Sequence[int], *, since: datetime
) -> defaultdict[int, list[PastSend]]:
    """One entry per person and message, at its first gate."""
    rows = (
        Attempt.objects.counting(list(contact_ids), since=since)
        .order_by("delivery_id", "gated_at")
        .distinct("delivery_id")
        .values_list("contact_id", "gated_at", "channel", "topic_id", "run_key")
    )
    sends: defaultdict[int, list[PastSend]] = defaultdict(list)
    for contact_id, gated_at, channel, topic_id, run_key in rows:
        sends[contact_id].append(
            PastSend(
                at=gated_at,
                channel=channel,
                topic_id=topic_id,
                run_id=run_key or None,
                counts=True,
            )
        )
    return sends


def _read_caps() -> tuple[CapRule, ...]:
    return tuple(
        CapRule(
            name=cap.name,
            kind=cap.kind,
            limit=cap.limit,
            unit=cap.unit,
            n=cap.n,
            channel=cap.channel,
            topic_id=cap.topic_id,
        )
        for cap in FrequencyCap.objects.active()
    )
