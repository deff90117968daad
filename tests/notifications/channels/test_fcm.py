"""Keys that must not be used are refused before any connection."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.channels.base import ChannelConfigError
from notifications.channels.fcm import FcmChannel, FcmRoute
from tests.notifications.channels.fault_server import FaultServer


@pytest.mark.parametrize(
    ("_case", "changes", "says"),
    [
        ("foreign token_uri", {"token_uri": "https://evil.example/token"}, "token_uri"),
        ("loopback token_uri", {"token_uri": "http://127.0.0.1:1/token"}, "token_uri"),
        ("no token_uri", {"token_uri": None}, "token_uri"),
        ("other universe", {"universe_domain": "evil.example"}, "universe_domain"),
        ("path as project", {"project_id": "../../x"}, "project_id"),
        ("no project", {"project_id": ""}, "project_id"),
        ("not a key", {"private_key": "no pem"}, "service account key"),
        ("a user's credentials", {"type": "authorized_user"}, "service account key"),
    ],
)
def test_a_key_that_must_not_be_used_is_refused_without_a_connection(
    _case: str,
    changes: dict[str, Any],
    says: str,
    service_account: dict[str, str],
    server: FaultServer,
) -> None:
    with pytest.raises(ChannelConfigError, match=says) as refused:
        FcmChannel(service_account | changes, FcmRoute())
    assert "PRIVATE KEY" not in str(refused.value)
    assert server.connections == 0


def test_a_loopback_token_uri_needs_the_setting_to_allow_it(
    service_account: dict[str, str], server: FaultServer
) -> None:
    account = service_account | {"token_uri": f"{server.url}/token"}
    route = FcmRoute(endpoint=server.url, token_endpoint=f"{server.url}/token")
    FcmChannel(account, route)
    with pytest.raises(ChannelConfigError):
        FcmChannel(account, FcmRoute(endpoint=server.url))


@pytest.mark.parametrize(
    "route",
    [
        FcmRoute(endpoint="https://evil.example"),
        FcmRoute(token_endpoint="https://evil.example/token"),
        FcmRoute(transport="carrier-pigeon"),
    ],
)
def test_a_route_elsewhere_is_refused(
    route: FcmRoute, service_account: dict[str, str]
) -> None:
    with pytest.raises(ChannelConfigError):
        FcmChannel(service_account, route)
