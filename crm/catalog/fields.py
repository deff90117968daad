"""The typed fields of a catalog: their definitions and their values. Pure.

Values are kept in JSON as templates print them: a time as ISO 8601 in UTC, money as
text with two decimals at least. From a file they come as text, so "12.50", "yes" and
"red, blue" are read as what the type says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

from crm.events.limits import Fault, find_fault, find_text_fault

TYPES: Final = (
    "text",
    "number",
    "boolean",
    "time",
    "url",
    "image",
    "list",
    "money",
)
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")
MAX_FIELDS: Final = 50
MAX_TEXT: Final = 5_000
MAX_URL: Final = 2_000
MAX_LIST: Final = 100
MAX_MONEY: Final = Decimal(10) ** 12
YES: Final = frozenset({"true", "yes", "1", "y"})
NO: Final = frozenset({"false", "no", "0", "n"})
# What would run where the link is opened.
RUNNING_SCHEMES: Final = ("javascript:", "data:", "vbscript:", "file:")


@dataclass(frozen=True, slots=True)
class Field:
    """One field that the items of a catalog have beside the columns."""

    name: str
    type: str
    required: bool = False


class FieldRefused(Exception):
    """`fault` says what is wrong, and where."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def refuse(code: str, message: str, path: str = "") -> NoReturn:
    raise FieldRefused(Fault(code, message, path))


def read_fields(said: Any, *, taken: frozenset[str]) -> tuple[Field, ...]:
    """The definitions of a catalog, or FieldRefused; `taken` are the columns."""
    if not isinstance(said, list):
        refuse("invalid_type", "Expected a list of fields.", "fields")
    if len(said) > MAX_FIELDS:
        refuse("too_many_fields", f"More than {MAX_FIELDS} fields.", "fields")
    found: dict[str, Field] = {}
    for index, one in enumerate(said):
        field = _read_field(one, f"fields[{index}]")
        if field.name in taken:
            message = f"Every item has {field.name} already."
            refuse("taken", message, f"fields[{index}].name")
        if field.name in found:
            refuse("repeated", "Named twice.", f"fields[{index}].name")
        found[field.name] = field
    return tuple(found.values())


def _read_field(said: Any, path: str) -> Field:
    if not isinstance(said, Mapping):
        refuse("invalid_type", "Expected an object.", path)
    name, kind = said.get("name"), said.get("type")
    required = said.get("required", False)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        message = "Small letters, digits and _, a letter first, at most 50."
        refuse("invalid_name", message, f"{path}.name")
    if kind not in TYPES:
        refuse("unknown_type", f"Not one of {', '.join(TYPES)}.", f"{path}.type")
    if not isinstance(required, bool):
        refuse("invalid_type", "Expected true or false.", f"{path}.required")
    if unknown := sorted(map(str, set(said) - {"name", "type", "required"})):
        refuse("unknown_field", "Not known here.", f"{path}.{unknown[0]}")
    return Field(name, str(kind), required)


def read_attributes(
    said: Mapping[str, Any], fields: tuple[Field, ...], *, partial: bool = False
) -> dict[str, Any]:
    """The values that a row gives, typed; raises FieldRefused.

    Empty values are left out, or kept as None where the row is partial: there they
    take away what stood. Without definitions any JSON goes.
    """
    if not fields:
        if fault := find_fault(dict(said)):
            raise FieldRefused(fault)
        return dict(said)
    known = {field.name: field for field in fields}
    if unknown := sorted(set(said) - set(known)):
        refuse("unknown_field", "The catalog has no such field.", unknown[0])
    values: dict[str, Any] = {}
    for field in fields:
        value = _read_optional(field, said.get(field.name))
        is_said = field.name in said or not partial
        if value is None and field.required and is_said:
            refuse("required", "This field is required.", field.name)
        if value is not None or (partial and field.name in said):
            values[field.name] = value
    return values


def _read_optional(field: Field, value: Any) -> Any:
    if value is None or value in ("", []):
        return None
    try:
        return READERS[field.type](value)
    except FieldRefused as refused:
        raise FieldRefused(refused.fault.under(field.name)) from None


def read_text(value: Any, longest: int = MAX_TEXT) -> str:
    """Numbers come as numbers from JSON, and are meant as text here."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        refuse("invalid_type", "Expected a text.")
    text = str(value).strip()
    if len(text) > longest:
        refuse("too_long", f"Longer than {longest:,} characters.")
    if fault := find_text_fault(text):
        raise FieldRefused(fault)
    return text


def read_decimal(value: Any, *, places: int | None = None) -> Decimal:
    """An exact number of at most 12 digits before the point."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        refuse("invalid_type", "Expected a number.")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        refuse("not_a_number", "Expected a number such as 12.50.")
    if not number.is_finite() or abs(number) >= MAX_MONEY:
        refuse("number_out_of_range", "The number is out of range.")
    if places is not None and number != round(number, places):
        refuse("too_precise", f"At most {places} digits after the point.")
    return number


def read_number(value: Any) -> int | float:
    number = read_decimal(value)
    return int(number) if number == number.to_integral_value() else float(number)


def read_whole(value: Any) -> int:
    number = read_decimal(value)
    if number != number.to_integral_value() or not -(2**31) <= number < 2**31:
        refuse("not_a_whole_number", "Expected a whole number.")
    return int(number)


def read_money(value: Any) -> str:
    """An amount as text, exact; its currency is the item's."""
    return f"{read_decimal(value, places=2):.2f}"


def read_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word not in YES | NO:
        refuse("invalid_type", "Expected true or false.")
    return word in YES


def read_moment(value: Any) -> datetime:
    """ISO 8601; without an offset it is UTC."""
    if isinstance(value, datetime):
        moment = value
    else:
        try:
            moment = datetime.fromisoformat(read_text(value, 100))
        except ValueError:
            refuse("invalid_time", "Expected a time such as 2026-03-04T12:00:00Z.")
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        refuse("invalid_time", "The time is out of range.")


def read_url(value: Any) -> str:
    text = read_text(value, MAX_URL)
    if text.lower().startswith(RUNNING_SCHEMES):
        refuse("link_refused", "A link must open a page or an app, not run a script.")
    return text


def read_list(value: Any) -> list[str]:
    """A list of texts, or one text with commas."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list):
        refuse("invalid_type", "Expected a list of texts.")
    if len(parts) > MAX_LIST:
        refuse("too_long", f"More than {MAX_LIST} entries.")
    texts: list[str] = []
    for index, part in enumerate(parts):
        try:
            texts.append(read_text(part, 200))
        except FieldRefused as refused:
            raise FieldRefused(refused.fault.under(f"[{index}]")) from None
    return [text for text in texts if text]


READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "text": read_text,
    "number": read_number,
    "boolean": read_boolean,
    "time": lambda value: read_moment(value).isoformat(),
    "url": read_url,
    "image": read_url,
    "list": read_list,
    "money": read_money,
}
