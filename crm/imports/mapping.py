"""Which column becomes what: guessed from the headings, changed by staff. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from crm.events.limits import find_text_fault
from crm.imports.cells import KINDS, guess_kind

MAX_NAME: Final = 200
LEFT_OUT: Final = ""
# Kind of import → target → words. The last one takes a name and a kind of its own.
TARGETS: Final[dict[str, dict[str, str]]] = {
    "contacts": {
        "external_id": "External id",
        "email": "E-mail",
        "phone": "Phone",
        "first_name": "First name",
        "last_name": "Last name",
        "name": "Full name",
        "locale": "Language",
        "timezone": "Time zone",
        "trait": "Trait",
    },
    "events": {
        "user_id": "External id of the person",
        "anonymous_id": "Anonymous id of the person",
        "event": "Event name",
        "timestamp": "When it happened",
        "message_id": "Message id",
        "property": "Property",
    },
    "items": {
        "code": "Code",
        "name": "Name",
        "category": "Category",
        "price": "Price",
        "was_price": "Price before",
        "currency": "Currency",
        "stock": "Stock",
        "url": "Link",
        "image_url": "Picture",
        "published_at": "Published at",
        "attribute": "Attribute",
    },
}
FREE: Final = {"contacts": "trait", "events": "property", "items": "attribute"}
FREE_TARGETS: Final = frozenset(FREE.values())
# Headings as people write them, without case, spaces and signs.
SPELLINGS: Final[dict[str, dict[str, str]]] = {
    "contacts": {
        **dict.fromkeys(("id", "userid", "customerid", "contactid"), "external_id"),
        **dict.fromkeys(("mail", "emailaddress"), "email"),
        **dict.fromkeys(("phonenumber", "mobile", "mobilephone", "tel"), "phone"),
        **dict.fromkeys(("firstname", "givenname", "forename"), "first_name"),
        **dict.fromkeys(("lastname", "surname", "familyname"), "last_name"),
        **dict.fromkeys(("fullname", "displayname"), "name"),
        **dict.fromkeys(("language", "lang"), "locale"),
        **dict.fromkeys(("tz",), "timezone"),
    },
    "events": {
        **dict.fromkeys(("externalid", "customerid", "contactid"), "user_id"),
        **dict.fromkeys(("eventname", "name", "action"), "event"),
        **dict.fromkeys(("time", "date", "at", "occurredat", "datetime"), "timestamp"),
        **dict.fromkeys(("id", "eventid"), "message_id"),
    },
    "items": {
        **dict.fromkeys(("sku", "id", "productid", "itemid"), "code"),
        **dict.fromkeys(("title", "productname"), "name"),
        **dict.fromkeys(("compareatprice", "oldprice", "listprice"), "was_price"),
        **dict.fromkeys(("link", "producturl"), "url"),
        **dict.fromkeys(("image", "picture", "imagelink"), "image_url"),
        **dict.fromkeys(("quantity", "inventory"), "stock"),
        **dict.fromkeys(("published", "pubdate", "date"), "published_at"),
    },
}
# What says that somebody allowed something. An import carries no proof of that.
CONSENT = re.compile(
    r"unsubscribe|subscri(be|ption)|opt(ed)?_?(in|out)|consent|newsletter|marketing"
)
CONSENT_TRAITS: Final = frozenset({"unsubscribed", "cio_subscription_preferences"})


@dataclass(frozen=True, slots=True)
class Column:
    """`to` is a target of the kind of import; `name` and `kind` are the free one's."""

    heading: str
    to: str = LEFT_OUT
    name: str = ""
    kind: str = "text"

    @property
    def is_free(self) -> bool:
        return self.to in FREE_TARGETS


class MappingRefused(ValueError):
    """Messages for staff, each with the heading it is about."""

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__(" ".join(messages))
        self.messages = list(messages)


def simplify(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def is_about_consent(text: str) -> bool:
    return bool(CONSENT.search(re.sub(r"[^a-z0-9]+", "_", text.lower())))


def guess_mapping(
    kind: str, heading: Sequence[str], samples: Sequence[Sequence[str]]
) -> list[Column]:
    """The likeliest target of each column; each target once, the first has it."""
    known = {simplify(target): target for target in TARGETS[kind]} | SPELLINGS[kind]
    del known[simplify(FREE[kind])]
    taken: set[str] = set()
    columns = []
    for at, name in enumerate(heading):
        target = known.get(simplify(name), FREE[kind])
        if kind == "contacts" and is_about_consent(name):
            target = LEFT_OUT
        elif target in taken:
            target = FREE[kind]
        cells = [row[at] for row in samples if at < len(row)]
        if target != FREE[kind]:
            taken.add(target)
            columns.append(Column(name, target))
        else:
            columns.append(Column(name, target, name_free(name), guess_kind(cells)))
    return columns


def name_free(heading: str) -> str:
    """`Favourite Colour` → `favourite_colour`; other scripts keep their letters."""
    return (
        re.sub(r"\W+", "_", heading.strip().lower()).strip("_")[:MAX_NAME] or "column"
    )


def check_mapping(kind: str, columns: Sequence[Column], *, event: str = "") -> None:
    """MappingRefused with all that is wrong. `event` names the events of a file that
    has no column for it."""
    faults = [fault for column in columns for fault in _find_faults(kind, column)]
    said = [_describe(column) for column in columns if column.to]
    twice = sorted({what for what in said if said.count(what) > 1})
    faults += [f"Two columns become {what}." for what in twice]
    faults += find_missing(kind, {column.to for column in columns}, event=event)
    if faults:
        raise MappingRefused(faults)


def _find_faults(kind: str, column: Column) -> list[str]:
    if column.to not in {LEFT_OUT, *TARGETS[kind]}:
        return [f"{column.heading}: nothing is called “{column.to[:50]}”."]
    if not column.is_free:
        return []
    faults = []
    if not column.name or len(column.name) > MAX_NAME or find_text_fault(column.name):
        faults.append(f"{column.heading}: needs a name of up to {MAX_NAME} characters.")
    if column.kind not in KINDS:
        faults.append(f"{column.heading}: “{column.kind[:50]}” is no kind of value.")
    if kind == "contacts" and column.name in CONSENT_TRAITS:
        faults.append(f"{column.heading}: an import can not carry consent.")
    if kind == "contacts" and column.name in TARGETS[kind]:
        faults.append(
            f"{column.heading}: choose “{TARGETS[kind][column.name]}” for it."
        )
    return faults


def _describe(column: Column) -> str:
    return f"“{column.name}”" if column.is_free else f"“{column.to}”"


def find_missing(kind: str, targets: set[str], *, event: str) -> list[str]:
    if kind == "contacts" and not targets & {"external_id", "email"}:
        return ["No column says who it is: map one as external id or e-mail."]
    if kind == "items" and "code" not in targets:
        return ["No column is the item's code."]
    missing = []
    if kind == "events":
        if not targets & {"user_id", "anonymous_id"}:
            missing.append("No column says who did it.")
        if "timestamp" not in targets:
            missing.append("No column says when it happened.")
        if "event" not in targets and not event.strip():
            missing.append(
                "No column names the event: map one, or name it for all rows."
            )
    return missing


def dump_mapping(columns: Sequence[Column]) -> list[dict[str, str]]:
    return [asdict(column) for column in columns]


def load_mapping(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    return [Column(**row) for row in rows]


def override(
    columns: Sequence[Column], kind: str, said: Mapping[str, str]
) -> list[Column]:
    """The mapping with `heading → target` words of the command line in it: a target,
    `trait:name`, `trait:name:number`, or `-` to leave it out."""
    unknown = said.keys() - {column.heading for column in columns}
    if unknown:
        raise MappingRefused([f"The file has no column “{name}”." for name in unknown])
    return [
        _read_word(column, kind, said[column.heading])
        if column.heading in said
        else column
        for column in columns
    ]


def _read_word(column: Column, kind: str, word: str) -> Column:
    if word == "-":
        return Column(column.heading)
    target, _, rest = word.partition(":")
    if target != FREE[kind]:
        return Column(column.heading, target)
    name, _, value_kind = rest.partition(":")
    return Column(
        column.heading,
        target,
        name or name_free(column.heading),
        value_kind or column.kind,
    )
