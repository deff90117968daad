"""The one way out to an address that somebody typed: public hosts, https, bounded.

The host is resolved once, each of its addresses must be public, and the connection goes
to the address that was looked at, so that no second answer of a name server can lead
elsewhere. A redirect is a new address and is looked at the same.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import httpx
from django.conf import settings

CONNECT_S: Final = 5.0
READ_S: Final = 10.0
# Of the whole answer, redirects included: a server may also send a byte a second.
TOTAL_S: Final = 20.0
MAX_REDIRECTS: Final = 5
MAX_URL: Final = 2_000
# An IPv4 address in an IPv6 one, as translators write it.
NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class EgressRefused(Exception):
    """Why nothing came back, in words for staff."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer; names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


def fetch_url(
    url: str, *, headers: Mapping[str, str] | None = None, max_bytes: int
) -> Fetched:
    """GET it; raises EgressRefused for what may not be asked, or does not answer so."""
    deadline = time.monotonic() + TOTAL_S
    timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
    with httpx.Client(trust_env=False, timeout=timeout) as client:
        for _ in range(MAX_REDIRECTS + 1):
            answer = _ask(client, url, headers or {}, max_bytes, deadline)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            try:
                url = str(httpx.URL(url).join(answer.headers.get("location", "")))
            except (httpx.InvalidURL, UnicodeError) as error:
                raise EgressRefused("It leads to no address.") from error
    raise EgressRefused(f"More than {MAX_REDIRECTS} redirects.")


def _ask(
    client: httpx.Client,
    url: str,
    headers: Mapping[str, str],
    max_bytes: int,
    deadline: float,
) -> Fetched:
    parsed = parse_address(url)
    found = resolve_public(parsed)
    request = client.build_request(
        "GET",
        parsed.copy_with(host=str(found)),
        headers={**headers, "Host": parsed.netloc.decode(), "Accept-Encoding": "gzip"},
        # Certificates are checked against the name, not against the number.
        extensions={"sni_hostname": parsed.host},
    )
    try:
        answer = client.send(request, stream=True)
        try:
            body = _read_body(answer.iter_raw(), max_bytes, deadline)
        finally:
            answer.close()
    except httpx.HTTPError as error:
        raise EgressRefused(f"No answer: {error or type(error).__name__}") from error
    return Fetched(answer.status_code, dict(answer.headers), body, url)


def _read_body(pieces: Iterator[bytes], max_bytes: int, deadline: float) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > max_bytes:
            raise EgressRefused(f"Larger than {max_bytes:,} bytes.")
        if time.monotonic() > deadline:
            raise EgressRefused(f"Not done within {TOTAL_S:.0f} seconds.")
    return bytes(body)


def parse_address(url: str) -> httpx.URL:
    """The parts of an address that may be asked, or EgressRefused."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise EgressRefused("This is no address.") from error
    if len(url) > MAX_URL or not parsed.host:
        raise EgressRefused("This is no address.")
    if parsed.userinfo:
        raise EgressRefused("An address with a password in it is not asked.")
    schemes = ("https", "http") if settings.EGRESS_ALLOW_LOOPBACK else ("https",)
    if parsed.scheme not in schemes:
        raise EgressRefused("Only https:// is asked.")
    return parsed


def resolve_public(url: httpx.URL) -> Address:
    """The address to connect to; every one that the name has must be public."""
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        answers = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        found = [ipaddress.ip_address(str(answer[4][0])) for answer in answers]
    except (OSError, UnicodeError, ValueError) as error:
        raise EgressRefused(f"Nothing is known of the host {url.host}.") from error
    loopback = settings.EGRESS_ALLOW_LOOPBACK
    if not found or not all(
        is_public(one) or (loopback and one.is_loopback) for one in found
    ):
        raise EgressRefused(f"{url.host} is not a public host.")
    if url.scheme != "https" and not found[0].is_loopback:
        raise EgressRefused("Only https:// is asked.")
    return found[0]


def is_public(address: Address) -> bool:
    """Whether this is an address of the internet, also where it hides another."""
    if address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if inner := address.ipv4_mapped or address.sixtofour:
            return is_public(inner)
        if address.teredo or address in NAT64:
            return False
    return address.is_global
