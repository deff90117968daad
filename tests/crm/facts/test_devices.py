from __future__ import annotations

from datetime import timedelta

from crm.facts.devices import PERMISSIONS, PLATFORMS, SHOWING, TOKEN_LIFE
from crm.models.device import TOKEN_LIFE_DAYS, Device


def test_the_rules_words_are_the_models() -> None:
    assert set(PLATFORMS) == set(Device.Platform.values)
    assert set(PERMISSIONS) == set(Device.Permission.values)
    assert set(SHOWING) == set(Device.SHOWING)
    assert timedelta(days=TOKEN_LIFE_DAYS) == TOKEN_LIFE
