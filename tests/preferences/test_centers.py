from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from preferences.centers import next_topic_number, publish_wording
from preferences.models import CenterWording
from preferences.models.center import LOGO_MAX_CHARS, check_logo


def test_a_changed_text_makes_a_new_wording(center):
    center.headline = "Mail from us"
    center.save()
    assert publish_wording(center, actor="rule") == 2
    assert center.wording_version == 2
    texts = {w.version: w.texts["headline"] for w in CenterWording.objects.all()}
    assert texts == {1: "Your notifications", 2: "Mail from us"}


def test_a_renamed_topic_makes_a_new_wording(center):
    center.topics.filter(key="promotions").update(name="Sales")
    assert publish_wording(center, actor="rule") == 2


def test_a_changed_colour_does_not(center):
    center.accent = "#ff0000"
    center.save()
    assert publish_wording(center, actor="rule") == 1
    assert CenterWording.objects.count() == 1


def test_topic_numbers_go_on(center):
    assert next_topic_number(center) == 6


@pytest.mark.parametrize(
    "logo",
    [
        "https://example.com/logo.png",
        "data:image/svg+xml;base64,PHN2Zz4=",
        'data:image/png;base64,AA"onerror="x',
        "data:image/png;base64," + "A" * LOGO_MAX_CHARS,
    ],
)
def test_a_logo_is_a_small_picture_in_the_page(logo):
    with pytest.raises(ValidationError):
        check_logo(logo)


@pytest.mark.parametrize("translations", [[], {"de": "x"}, {"de": {"nonsense": "x"}}])
def test_translations_name_known_texts(center, translations):
    center.translations = translations
    with pytest.raises(ValidationError):
        center.clean()
