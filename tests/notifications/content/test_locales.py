"""Which language a person gets."""

from __future__ import annotations

import pytest

from notifications.content.locales import choose_locale


@pytest.mark.parametrize(
    ("_case", "wanted", "available", "expected"),
    [
        ("exact", "pt-BR", {"en", "pt", "pt-BR"}, "pt-BR"),
        ("shorter", "pt-BR", {"en", "pt"}, "pt"),
        ("default", "pt-BR", {"en", "de"}, "en"),
        ("underscore and case", "PT_br", {"en", "pt-BR"}, "pt-BR"),
        ("posix", "nb_NO.UTF-8", {"en", "nb"}, "nb"),
        ("script", "zh-Hant-TW", {"en", "zh", "zh-Hant"}, "zh-Hant"),
        ("sister region", "pt-BR", {"en", "pt-PT"}, "pt-PT"),
        ("wanted is shorter", "pt", {"en", "pt-PT", "pt-BR"}, "pt-BR"),
        ("not a prefix of letters", "e", {"en"}, "en"),
        ("none", None, {"en", "de"}, "en"),
        ("empty", "", {"en", "de"}, "en"),
        ("garbage", "../../etc", {"en", "de"}, "en"),
    ],
)
def test_the_nearest_language_is_chosen(
    _case: str, wanted: str | None, available: set[str], expected: str
) -> None:
    assert choose_locale(wanted, available, "en") == expected
