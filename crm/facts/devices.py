"""Source `device`: where a push can go.

    {"type": "device", "platform": "ios", "permission": ["granted"],
     "reachable": true}

It holds where any active device of the contact has all of what is named; with
nothing named, where the contact has an active device at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from crm.facts.reading import Reader
from crm.ports.facts import (
    DEVICE_CHANGED,
    Condition,
    Evidence,
    Input,
    Mentions,
    RuleError,
    Scope,
    Selection,
    Sql,
    Term,
)

PLATFORMS = {"ios": "iOS", "android": "Android", "web": "web"}
PERMISSIONS = {
    "granted": "granted",
    "provisional": "provisional",
    "denied": "denied",
    "unknown": "not told by the app",
}
# The same as `crm.models.device`; a test holds them together.
SHOWING = ("granted", "provisional", "unknown")
TOKEN_LIFE = timedelta(days=270)


@dataclass(frozen=True, slots=True)
class HasDevice:
    """Any active device with all of these; empty means any."""

    platform: str = ""
    permissions: tuple[str, ...] = ()
    reachable: bool = False

    def describe(self) -> str:
        words = ["have a" if not self.reachable else "have a reachable"]
        words += [PLATFORMS[self.platform]] if self.platform else []
        allowed = " or ".join(PERMISSIONS[one] for one in self.permissions)
        tail = f" with push permission {allowed}" if allowed else ""
        return " ".join([*words, "device"]).replace("a iOS", "an iOS") + tail

    def _rows(self, scope: Scope) -> Sql:
        limit = scope.limit("d.contact_id")
        tests = ["d.state = 'active'"]
        params: list[Any] = []
        if self.platform:
            tests.append("d.platform = %s")
            params.append(self.platform)
        if self.permissions:
            tests.append("d.permission = ANY(%s::text[])")
            params.append(list(self.permissions))
        if self.reachable:
            tests.append("d.permission = ANY(%s::text[]) AND d.last_seen_at > %s")
            params += [list(SHOWING), scope.at - TOKEN_LIFE]
        return Sql(
            f"FROM crm_device d WHERE {' AND '.join(tests)}{limit.text}",
            (*params, *limit.params),
        )

    def select(self, scope: Scope) -> Selection:
        rows = self._rows(scope)
        return Selection(Sql(f"SELECT DISTINCT d.contact_id {rows.text}", rows.params))

    def wake(self, scope: Scope) -> Sql | None:
        if not self.reachable:
            return None
        rows = self._rows(scope)
        return Sql(
            f"SELECT d.contact_id, max(d.last_seen_at) + %s AS wake_at {rows.text} "
            "GROUP BY d.contact_id",
            (TOKEN_LIFE, *rows.params),
        )

    def mentions(self) -> Mentions:
        return Mentions(traits=frozenset({DEVICE_CHANGED}))

    def evidence(self, scope: Scope) -> Evidence:
        limit = scope.limit("d.contact_id")
        return Evidence(
            Sql(
                "SELECT string_agg(d.platform || ', ' || d.permission || ', ' || "
                "d.state || ', seen ' || to_char(d.last_seen_at AT TIME ZONE 'UTC', "
                "'YYYY-MM-DD'), '; ' ORDER BY d.last_seen_at DESC) "
                f"FROM crm_device d WHERE TRUE{limit.text}",
                limit.params,
            ),
            lambda row: f"devices: {row[0]}" if row and row[0] else "no device",
        )


class DeviceSource:
    """Devices and whether they can be reached, registered by the crm itself."""

    def terms(self) -> Sequence[Term]:
        return [
            Term(
                "device",
                "Device",
                "Platform, permission, reachable by push",
                {"type": "device", "reachable": True},
                (
                    Input(
                        "platform",
                        "Platform",
                        "choice",
                        (("", "any"), *PLATFORMS.items()),
                    ),
                    Input(
                        "permission",
                        "Permission",
                        "choices",
                        tuple(PERMISSIONS.items()),
                    ),
                    Input("reachable", "Reachable by push", "check"),
                ),
            )
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        reader.allow("type", "platform", "permission", "reachable")
        platform = reader.choice("platform", PLATFORMS) if node.get("platform") else ""
        permissions = []
        for value, at in reader.items("permission"):
            if not isinstance(value, str) or value not in PERMISSIONS:
                raise RuleError(
                    at, "choice", f"must be one of {', '.join(PERMISSIONS)}"
                )
            permissions.append(value)
        return HasDevice(platform, tuple(permissions), reader.flag("reachable"))
