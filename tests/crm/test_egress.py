"""The way out: public hosts, https, bounded."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from crm import egress
from crm.egress import EgressRefused, fetch_url, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)
def test_an_address_that_is_not_of_the_internet_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111"])
def test_an_address_of_the_internet_is(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.fixture
def no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr("httpx.Client.send", refuse)


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.216.34/",
        "ftp://93.184.216.34/",
        "file:///etc/passwd",
        "gopher://93.184.216.34/",
        "https://",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0/",
        "https://127.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/latest",
        "https://169.254.169.254/latest/meta-data/",
        "https://user:pass@93.184.216.34/",
        "https://a\x00b/",
        "https://exa mple.com/",
        f"https://93.184.216.34/{'a' * 3_000}",
        "javascript:alert(1)",
        "",
    ],
)
@pytest.mark.usefixtures("no_connection")
def test_what_must_not_be_asked_is_refused_without_a_connection(url: str) -> None:
    with pytest.raises(EgressRefused):
        fetch_url(url, max_bytes=1_000)


@pytest.mark.usefixtures("no_connection")
def test_one_private_address_among_public_ones_is_enough_to_refuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def resolve(*_: Any, **__: Any) -> Any:
        hosts = ("93.184.216.34", "10.0.0.1")
        return [(socket.AF_INET, 1, 6, "", (host, 443)) for host in hosts]

    monkeypatch.setattr(egress.socket, "getaddrinfo", resolve)
    with pytest.raises(EgressRefused, match="not a public host"):
        fetch_url("https://rebind.example/", max_bytes=1_000)


def test_the_connection_goes_to_the_address_that_was_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def resolve(host: str, port: int, **_: Any) -> Any:
        return [(socket.AF_INET, 1, 6, "", ("93.184.216.34", port))]

    def send(_: Any, request: Any, **__: Any) -> Any:
        asked.append(request)
        raise egress.httpx.ConnectError("enough")

    monkeypatch.setattr(egress.socket, "getaddrinfo", resolve)
    monkeypatch.setattr("httpx.Client.send", send)
    with pytest.raises(EgressRefused, match="No answer: enough"):
        fetch_url("https://news.example:8443/feed?a=b", max_bytes=1_000)
    [request] = asked
    assert str(request.url) == "https://93.184.216.34:8443/feed?a=b"
    assert request.headers["host"] == "news.example:8443"
    # The certificate must be the name's.
    assert request.extensions["sni_hostname"] == "news.example"
