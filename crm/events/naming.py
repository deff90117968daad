"""The words by which foreign wires name a person. Pure: nobody is looked up here.

Customer.io's rule: an address is an id unless its shape says e-mail, or it is the
`cio_id` that the product itself gave out (here `cio_` and the contact's uuid).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NoReturn

import msgspec

from crm.events.limits import BodyRefused, Fault, find_text_fault
from crm.events.schema import MAX_ID

CIO_ID = re.compile(r"cio_([0-9a-f]{32})")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
KINDS: Final = ("id", "email", "cio_id")
# Somebody known by e-mail alone: the key that leads to them, whoever comes first.
EMAIL_KEY = "email:"


class Address(msgspec.Struct, frozen=True):
    """`value` is the id as sent, the e-mail as sent, or 32 hexadecimal digits."""

    kind: Literal["id", "email", "cio_id"]
    value: str

    @property
    def email_key(self) -> str:
        """The anonymous id of a person of whom only this e-mail is known."""
        return f"{EMAIL_KEY}{self.value.lower()}"


def refuse(code: str, message: str, path: str, status: int = 400) -> NoReturn:
    raise BodyRefused(status, Fault(code, message, path))


def read_address(value: Any, path: str) -> Address:
    """A person named by one text or number, as in the path of a URL."""
    text = read_id_text(value, path)
    if found := CIO_ID.fullmatch(text):
        return Address("cio_id", found[1])
    return Address("email" if EMAIL.fullmatch(text) else "id", text)


def read_identifiers(value: Any, path: str) -> Address:
    """`{"id": …}`, `{"email": …}` or `{"cio_id": …}`: exactly one of them."""
    if not isinstance(value, Mapping):
        refuse("invalid_type", "Expected an object.", path)
    said = {key: word for key, word in value.items() if word is not None}
    if len(said) != 1 or not said.keys() <= set(KINDS):
        refuse("invalid", "Name exactly one of id, email, cio_id.", path)
    [(kind, word)] = said.items()
    where = f"{path}.{kind}"
    text = read_id_text(word, where)
    if kind == "id":
        return Address("id", text)
    if kind == "email":
        return read_email(text, where)
    found = CIO_ID.fullmatch(text if text.startswith("cio_") else f"cio_{text}")
    if found is None:
        refuse("invalid", "Not a cio_id of this server.", where)
    return Address("cio_id", found[1])


def read_email(value: Any, path: str) -> Address:
    text = read_id_text(value, path)
    if not EMAIL.fullmatch(text):
        refuse("invalid", "Not an e-mail address.", path)
    return Address("email", text)


def read_id_text(value: Any, path: str) -> str:
    """Ids may come as numbers; they are kept as text."""
    if value is None:
        refuse("required", "This field is required.", path)
    if isinstance(value, bool) or not isinstance(value, str | int):
        refuse("invalid_type", "Expected a text or a whole number.", path)
    text = str(value).strip()
    if not text:
        refuse("required", "This field is required.", path)
    # Room for the prefix of an e-mail that is a person's only key.
    if len(text) > MAX_ID - len(EMAIL_KEY):
        longest = MAX_ID - len(EMAIL_KEY)
        refuse("too_long", f"Longer than {longest} characters.", path)
    if fault := find_text_fault(text):
        raise BodyRefused(400, fault.under(path))
    return text
