"""Bytes in, plain values out, within limits: the guard before any schema.

Pure. Content-Type and charset are ignored: bytes are sniffed for gzip and read
as UTF-8, without a byte order mark. Of a repeated key the last value counts.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

import msgspec

MAX_DEPTH = 20
# Keys of one object; lists may be longer.
MAX_KEYS = 200
# Greater whole numbers lose digits in JavaScript: they must come as text.
MAX_INTEGER = 2**53
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may weigh, in bytes and events."""

    event_bytes: int = 32 * 1024
    batch_bytes: int = 500 * 1024
    batch_events: int = 2_500


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: `properties.items[2].price`."""

    code: str
    message: str
    path: str = ""

    def under(self, step: str) -> Fault:
        """The same fault seen from one level above."""
        joint = "" if not self.path or self.path.startswith("[") else "."
        return Fault(self.code, self.message, f"{step}{joint}{self.path}")


class BodyRefused(Exception):
    """The whole request is refused; `status` is the HTTP answer.

    `wait_s`: whole seconds after which to come again, 0 where that is no use.
    """

    def __init__(self, status: int, fault: Fault, *, wait_s: int = 0) -> None:
        super().__init__(fault.message)
        self.status = status
        self.fault = fault
        self.wait_s = wait_s


NULL_CHARACTER = Fault("null_character", "Null characters are not allowed.")
SURROGATE = Fault("lone_surrogate", "Half of a surrogate pair is not a character.")
TOO_DEEP = Fault("too_deep", f"Nested deeper than {MAX_DEPTH} levels.")
TOO_MANY_KEYS = Fault("too_many_keys", f"More than {MAX_KEYS} keys in one object.")
TOO_BIG_INTEGER = Fault(
    "integer_too_big", "Whole numbers beyond 2^53 lose digits; send them as text."
)
OUT_OF_RANGE = Fault("number_out_of_range", "The number is out of range.")
NOT_A_NUMBER = Fault("not_a_number", "NaN and Infinity are not JSON.")
BAD_UTF8 = Fault("invalid_utf8", "The body is not UTF-8 without byte order mark.")


def unpack_body(body: bytes, max_bytes: int) -> bytes:
    """The body, unzipped where it is gzip; never more than `max_bytes`."""
    too_large = Fault("body_too_large", f"The body is larger than {max_bytes} bytes.")
    if len(body) > max_bytes:
        raise BodyRefused(413, too_large)
    if body[:2] != GZIP_MAGIC:
        return body
    inflate = zlib.decompressobj(wbits=31)
    try:
        plain = inflate.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise BodyRefused(400, Fault("invalid_gzip", str(error))) from error
    if len(plain) > max_bytes:
        raise BodyRefused(413, too_large)
    if not inflate.eof:
        raise BodyRefused(400, Fault("invalid_gzip", "The gzip stream is cut short."))
    return plain


def check_utf8(body: bytes) -> None:
    """Refuse what is not UTF-8, before a decoder meets it half way."""
    if body.startswith(b"\xef\xbb\xbf"):
        raise BodyRefused(400, BAD_UTF8)
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BodyRefused(400, BAD_UTF8) from error


def parse_json(body: bytes) -> Any:
    """A plain value of one whole body, or BodyRefused with the path of the fault."""
    check_utf8(body)
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise BodyRefused(400, TOO_DEEP) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = parse_leniently(body)
    fault = find_fault(value)
    if fault is not None:
        raise BodyRefused(400, fault)
    return value


def parse_leniently(body: bytes) -> Any:
    """Parse what the fast decoder refused, to learn where the fault is.

    Takes lone surrogates, NaN and numbers of any size: `find_fault` names them.
    """
    try:
        return json.loads(
            body,
            parse_int=lambda digits: int(digits) if len(digits) < 20 else 2**64,
            parse_constant=lambda _: float("nan"),
        )
    except json.JSONDecodeError as error:
        message = f"Not JSON: {error.msg} at character {error.pos}."
        raise BodyRefused(400, Fault("invalid_json", message)) from error
    except RecursionError:
        raise BodyRefused(400, TOO_DEEP) from None


def find_fault(value: Any, depth: int = 0) -> Fault | None:
    """The first thing in a parsed value that PostgreSQL or a reader would choke on."""
    kind = type(value)
    if kind is str:
        return find_text_fault(value)
    if kind is dict:
        return find_object_fault(value, depth + 1)
    if kind is list:
        return find_list_fault(value, depth + 1)
    if kind is int and not -MAX_INTEGER <= value <= MAX_INTEGER:
        return TOO_BIG_INTEGER
    if kind is float and value - value != 0:
        return NOT_A_NUMBER if value != value else OUT_OF_RANGE
    return None


def find_text_fault(text: str) -> Fault | None:
    if "\x00" in text:
        return NULL_CHARACTER
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return SURROGATE
    return None


def find_object_fault(value: dict[str, Any], depth: int) -> Fault | None:
    if depth > MAX_DEPTH:
        return TOO_DEEP
    if len(value) > MAX_KEYS:
        return TOO_MANY_KEYS
    for key, inner in value.items():
        # Plain texts are nearly all there is: no call for them.
        if not key.isascii() or "\x00" in key:
            fault = find_text_fault(key)
            if fault is not None:
                return fault.under(ascii(key)[1:-1])
        if type(inner) is str and inner.isascii() and "\x00" not in inner:
            continue
        fault = find_fault(inner, depth)
        if fault is not None:
            return fault.under(key)
    return None


def find_list_fault(value: list[Any], depth: int) -> Fault | None:
    if depth > MAX_DEPTH:
        return TOO_DEEP
    for index, inner in enumerate(value):
        fault = find_fault(inner, depth)
        if fault is not None:
            return fault.under(f"[{index}]")
    return None
