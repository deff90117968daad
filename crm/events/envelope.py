"""What stands around calls: a batch, its key, and one fault for each bad call.

Pure, and shared by the wires that send batches. A request that is not JSON, or too
large, is refused whole; one bad call is rejected with its index and path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

import msgspec

from crm.events.limits import (
    OUT_OF_RANGE,
    TOO_DEEP,
    BodyRefused,
    Fault,
    Limits,
    check_utf8,
    find_fault,
    parse_leniently,
)

# What a wire reads a call as, and what it makes of it.
Wire = TypeVar("Wire")
Call = TypeVar("Call")


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused item; `path` starts inside the item."""

    index: int
    path: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ParsedBatch(Generic[Call]):
    items: Sequence[Call]
    rejected: Sequence[Rejection]
    write_key: str = ""


class WireBatch(msgspec.Struct, rename="camel"):
    batch: list[msgspec.Raw]
    context: dict[str, Any] | None = None
    write_key: str | None = None
    # PostHog's names for it.
    api_key: str | None = msgspec.field(default=None, name="api_key")
    token: str | None = None


class ItemRefused(Exception):
    """One call can not be taken in; the rest of its batch can."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


_decode_batch = msgspec.json.Decoder(WireBatch).decode


def read_batch(
    body: bytes, limits: Limits, read_call: Callable[[Any, int, dict[str, Any]], Call]
) -> ParsedBatch[Call]:
    """Read each call of a batch alone; `read_call` raises ItemRefused.

    It gets the call's bytes, its index, and the context that the batch shares.
    """
    wire, raws, rejected = open_envelope(body)
    if len(raws) + len(rejected) > limits.batch_events:
        message = f"More than {limits.batch_events} events in one batch."
        raise BodyRefused(413, Fault("too_many_events", message, "batch"))
    shared = wire.context or {}
    if shared and (fault := find_fault(shared, depth=1)):
        raise BodyRefused(400, fault.under("context"))
    items: list[Call] = []
    for index, raw in raws:
        try:
            items.append(read_call(raw, index, shared))
        except ItemRefused as refused:
            rejected.append(reject_item(index, refused.fault))
    rejected.sort(key=lambda rejection: rejection.index)
    key = wire.write_key or wire.api_key or wire.token or ""
    return ParsedBatch(items, rejected, key)


def open_envelope(body: bytes) -> tuple[WireBatch, list[Any], list[Rejection]]:
    """What stands around the calls, each call with its index, and the hopeless."""
    check_utf8(body)
    try:
        wire = _decode_batch(body)
    except RecursionError:
        raise BodyRefused(400, TOO_DEEP) from None
    except msgspec.ValidationError as error:
        raise BodyRefused(400, read_type_fault(error)) from error
    except msgspec.DecodeError:
        return rescue_batch(body)
    return wire, list(enumerate(wire.batch)), []


def rescue_batch(body: bytes) -> tuple[WireBatch, list[Any], list[Rejection]]:
    """Read a batch the fast decoder gave up on because of one item in it.

    Lone surrogates and numbers out of range cost their item; what is no JSON at
    all (NaN, a broken escape) costs the batch.
    """
    whole = parse_leniently(body)
    batch = whole.get("batch") if isinstance(whole, dict) else None
    if not isinstance(batch, list):
        raise BodyRefused(400, Fault("invalid", "Expected a list.", "batch"))
    rejected: list[Rejection] = []
    raws: list[Any] = []
    for index, item in enumerate(batch):
        fault = find_fault(item)
        if fault is None:
            raws.append((index, msgspec.json.encode(item)))
        elif fault.code == "not_a_number":
            raise BodyRefused(400, fault.under(f"batch[{index}]"))
        else:
            rejected.append(reject_item(index, fault))
    rest = {key: value for key, value in whole.items() if key != "batch"}
    if fault := find_fault(rest):
        raise BodyRefused(400, fault)
    try:
        wire = msgspec.convert({**rest, "batch": []}, WireBatch)
    except msgspec.ValidationError as error:
        raise BodyRefused(400, read_type_fault(error)) from error
    return wire, raws, rejected


def reject_item(index: int, fault: Fault) -> Rejection:
    return Rejection(index, fault.path, fault.code, fault.message)


def decode_call(raw: Any, limits: Limits, decode: Callable[[Any], Wire]) -> Wire:
    """One call by this decoder, or ItemRefused with what is wrong and where."""
    if memoryview(raw).nbytes > limits.event_bytes:
        refuse("event_too_large", f"Larger than {limits.event_bytes} bytes.")
    try:
        return decode(raw)
    except RecursionError:
        raise ItemRefused(TOO_DEEP) from None
    except msgspec.ValidationError as error:
        # Out of range reads as a type error without its path: look for it.
        fault = find_lenient_fault(raw) or read_type_fault(error)
        raise ItemRefused(fault) from error
    except msgspec.DecodeError as error:
        fault = find_lenient_fault(raw) or Fault("invalid_json", str(error))
        raise ItemRefused(fault) from error


def find_lenient_fault(raw: Any) -> Fault | None:
    try:
        return find_fault(parse_leniently(bytes(raw)))
    except BodyRefused as refused:
        return refused.fault


def read_type_fault(error: msgspec.ValidationError) -> Fault:
    """msgspec says ``Expected `object`, got `str` - at `$.properties` ``."""
    message, _, where = str(error).partition(" - at `$")
    if message.endswith("out of range"):
        return OUT_OF_RANGE
    path = where.rstrip("`").lstrip(".")
    if "missing required field" in message:
        return Fault("required", "This field is required.", message.split("`")[1])
    return Fault("invalid_type", message.replace("`", "").replace(" | null", ""), path)


def refuse(code: str, message: str, path: str = "") -> NoReturn:
    raise ItemRefused(Fault(code, message, path))
