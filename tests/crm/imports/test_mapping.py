"""Columns are guessed by their names; consent is never one of them."""

from __future__ import annotations

import pytest

from crm.imports.mapping import (
    Column,
    MappingRefused,
    check_mapping,
    guess_mapping,
    override,
)

WHO = Column("i", "email")


def test_columns_are_guessed_by_their_names_and_first_rows() -> None:
    heading = ["User ID", "E-Mail", "First Name", "Favourite Colour", "visits", "mail"]
    samples = [["1", "a@example.com", "Ada", "red", "3", "b@example.com"]]
    assert guess_mapping("contacts", heading, samples) == [
        Column("User ID", "external_id"),
        Column("E-Mail", "email"),
        Column("First Name", "first_name"),
        Column("Favourite Colour", "trait", "favourite_colour"),
        Column("visits", "trait", "visits", "number"),
        Column("mail", "trait", "mail"),
    ]


@pytest.mark.parametrize(
    "name", ["unsubscribed", "Opt-in", "opted in", "Newsletter", "marketing consent"]
)
def test_a_column_about_consent_is_left_out(name: str) -> None:
    assert guess_mapping("contacts", [name], [["yes"]]) == [Column(name)]


@pytest.mark.parametrize(
    ("kind", "columns", "words"),
    [
        ("contacts", [Column("a", "name")], "No column says who"),
        ("contacts", [Column("a", "age")], "nothing is called"),
        ("contacts", [WHO, Column("b", "email")], "Two columns become “email”"),
        (
            "contacts",
            [WHO, Column("a", "trait", "x"), Column("b", "trait", "x")],
            "Two columns become “x”",
        ),
        ("contacts", [WHO, Column("a", "trait", "unsubscribed")], "carry consent"),
        ("contacts", [WHO, Column("a", "trait", "email")], "choose “E-mail”"),
        ("contacts", [WHO, Column("a", "trait", "x", "secret")], "no kind of value"),
        ("contacts", [WHO, Column("a", "trait", "")], "needs a name"),
        ("items", [Column("a", "name")], "item's code"),
        ("events", [Column("a", "user_id")], "when it happened"),
        ("events", [Column("a", "user_id")], "names the event"),
        ("events", [Column("a", "event")], "who did it"),
    ],
)
def test_a_mapping_that_can_not_be_is_refused_in_words(
    kind: str, columns: list[Column], words: str
) -> None:
    with pytest.raises(MappingRefused, match=words):
        check_mapping(kind, columns)


def test_words_of_the_command_line_change_the_guess() -> None:
    guessed = [Column("a", "trait", "a"), Column("b", "trait", "b"), Column("c")]
    said = {"a": "external_id", "b": "trait:plan:text", "c": "-"}
    assert override(guessed, "contacts", said) == [
        Column("a", "external_id"),
        Column("b", "trait", "plan"),
        Column("c"),
    ]
    with pytest.raises(MappingRefused, match="no column “d”"):
        override(guessed, "contacts", {"d": "-"})
