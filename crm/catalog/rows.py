"""A row of an upsert: plain data → the typed values of an item. Pure.

A whole row replaces what stood: a column that it leaves out is emptied. A partial row
changes what it names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from crm.catalog.fields import (
    Field,
    FieldRefused,
    read_attributes,
    read_decimal,
    read_moment,
    read_text,
    read_url,
    read_whole,
    refuse,
)
from crm.events.amounts import read_currency

MAX_CODE: Final = 100


def read_code(value: Any) -> str:
    code = "" if value is None else read_text(value, MAX_CODE)
    if not code:
        refuse("required", "Each item needs its code.", "code")
    return code


def _read_price(value: Any) -> Any:
    price = read_decimal(value, places=2)
    if price < 0:
        refuse("below_0", "A price is not below 0.")
    return price


def _read_currency(value: Any) -> str:
    code = read_currency(read_text(value, 3))
    if not code:
        refuse("invalid_currency", "A currency is three letters, such as EUR.")
    return code


# Column → its reader, and what stands where a row says nothing.
COLUMNS: Final[Mapping[str, tuple[Callable[[Any], Any], Any]]] = {
    "name": (lambda value: read_text(value, 300), ""),
    "url": (read_url, ""),
    "image_url": (read_url, ""),
    "price": (_read_price, None),
    "was_price": (_read_price, None),
    "currency": (_read_currency, ""),
    "category": (lambda value: read_text(value, 200), ""),
    "stock": (read_whole, None),
    "published_at": (read_moment, None),
}
NAMES: Final = frozenset({"code", "attributes", *COLUMNS})
# What no typed field may be called: templates name these of every item.
TAKEN: Final = NAMES | {"catalog", "archived_at", "created_at", "updated_at"}


def read_row(
    said: Any, fields: tuple[Field, ...], *, partial: bool = False
) -> dict[str, Any]:
    """The columns of an item by name, `attributes` among them; raises FieldRefused
    with the path of the fault.

    Typed fields may stand in `attributes` or beside the columns, as in a file.
    """
    if not isinstance(said, Mapping):
        refuse("invalid_type", "Expected an object.")
    values: dict[str, Any] = {"code": _read_under("code", read_code, said.get("code"))}
    for name, (read, empty) in COLUMNS.items():
        value = said.get(name)
        if name in said or not partial:
            is_empty = value is None or value == ""
            values[name] = empty if is_empty else _read_under(name, read, value)
    if values.get("name") == "":
        refuse("required", "This field is required.", "name")
    given = _gather(said, fields)
    if given is not None or not partial:
        values["attributes"] = _read_under(
            "attributes",
            lambda extras: read_attributes(extras, fields, partial=partial),
            given or {},
        )
    return values


def _gather(
    said: Mapping[Any, Any], fields: tuple[Field, ...]
) -> dict[str, Any] | None:
    """`attributes` with the typed fields that stand beside the columns; None where
    the row says neither."""
    known = {field.name for field in fields}
    beside = {name: value for name, value in said.items() if name not in NAMES}
    if unknown := sorted(str(name) for name in beside if name not in known):
        refuse("unknown_field", "The catalog has no such field.", unknown[0])
    inside = said.get("attributes")
    if inside is None and not beside:
        return None
    if not isinstance(inside, Mapping | None):
        refuse("invalid_type", "Expected an object.", "attributes")
    return {**(inside or {}), **beside}


def _read_under(name: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except FieldRefused as refused:
        fault = refused.fault
        if fault.path == name:
            raise
        raise FieldRefused(fault.under(name)) from None
