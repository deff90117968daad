"""Half-configured is said at the start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crm.second_factor.checks import ROAD, check_second_factor
from crm.second_factor.door import list_guarded_rights

WRONG_RIGHTS = frozenset({"notifications.lanch_campaign", "crm.add_apikey"})


@pytest.fixture(autouse=True)
def required(settings: Any) -> Iterator[None]:
    """With the rights read afresh."""
    settings.SECOND_FACTOR = "required"
    list_guarded_rights.cache_clear()
    yield
    list_guarded_rights.cache_clear()


def test_as_it_comes_there_is_nothing_to_say() -> None:
    assert check_second_factor() == []


@pytest.mark.parametrize(
    ("_case", "names"),
    [("one is missing", ROAD[:2]), ("in another order", [ROAD[2], *ROAD[:2]])],
)
def test_middleware_that_would_ask_nobody_is_an_error(
    _case: str, names: list[str], settings: Any
) -> None:
    settings.MIDDLEWARE = names
    assert [fault.id for fault in check_second_factor()] == ["crm.E101"]


def test_a_right_that_does_not_exist_is_named(settings: Any) -> None:
    settings.SECOND_FACTOR_RIGHTS = f"{__name__}.WRONG_RIGHTS"
    assert [(fault.id, fault.msg) for fault in check_second_factor()] == [
        (
            "crm.E102",
            "SECOND_FACTOR_RIGHTS: there is no right 'notifications.lanch_campaign' "
            "to guard",
        )
    ]


@pytest.mark.parametrize(
    ("cluster", "debug", "said", "expected"),
    [
        (None, False, "off", ["crm.W101"]),
        (None, True, "off", []),
        (None, False, "required", []),
        ("embedded", False, "off", []),
    ],
)
def test_off_is_warned_of_where_it_is_no_default(
    cluster: Any, debug: bool, said: str, expected: list[str], settings: Any
) -> None:
    settings.EMBEDDED_CLUSTER, settings.DEBUG = cluster, debug
    settings.SECOND_FACTOR = said
    assert [fault.id for fault in check_second_factor()] == expected
