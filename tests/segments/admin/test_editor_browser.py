"""The editor in a real browser, with htmx: groups, live size, keyboard, phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import Page, expect, sync_playwright

from segments.models import Segment
from tests.factories import make_contact, make_device

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(chromium_path: str, live_server: Any) -> Iterator[Page]:
    get_user_model().objects.create_superuser("ada", "a@example.com", "ada")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path, args=["--no-sandbox"]
        )
        page = browser.new_page(base_url=live_server.url)
        page.goto("/admin/login/?next=/admin/segments/segment/add/")
        page.fill("[name=username]", "ada")
        page.fill("[name=password]", "ada")
        page.click("button[type=submit]")
        yield page
        browser.close()


def test_a_nested_segment_shows_its_size_while_it_is_built(page: Page) -> None:
    for n in range(5):
        contact = make_contact(traits={"plan": "pro" if n < 3 else "free"})
        if n < 2:
            make_device(contact, platform="ios")
    size = page.locator("[data-size]")
    page.select_option("[name='r-0.type']", "attribute")
    page.fill("[name='r-0.trait']", "plan")
    page.fill("[name='r-0.value']", "pro")
    expect(size).to_have_text("3")
    # By keyboard: the button is reached and pressed without a mouse.
    page.locator("button[value='group:r']").focus()
    page.keyboard.press("Enter")
    page.select_option("[name='r-1-0.type']", "device")
    expect(size).to_have_text("2")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.fill("[name=name]", "Pros on iOS")
    page.click("text=Save segment")
    expect(page).to_have_url(re.compile(r"/segment/\d+/change/$"))
    segment = Segment.objects.get(name="Pros on iOS")
    assert segment.current_version.rule["root"] == {
        "all": [
            {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"},
            {"any": [{"type": "device", "reachable": True}]},
        ]
    }
