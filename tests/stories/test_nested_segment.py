"""A nested segment in a real browser, on a whole running product.

Build it with groups, see its size move as events arrive, ask why somebody is not in it,
and launch a campaign on it, after which its rule changes only when that is confirmed.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.faults.test_up import Up, data, start_up
from tests.stories.test_first_campaign import (
    Client,
    client,
    launch,
    log_in,
    page,
    site,
    up,
    write_campaign,
)

__all__ = ["client", "data", "page", "site", "start_up", "up"]
pytestmark = [pytest.mark.slow, pytest.mark.browser]


def press(page: Page, deed: str) -> None:
    """A button of the builder, by keyboard; it draws itself anew."""
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.locator(f"button[value='{deed}']").focus()
        page.keyboard.press("Enter")
    page.wait_for_timeout(400)


def choose(page: Page, key: str, kind: str) -> None:
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.select_option(f"[name='{key}.type']", kind)
    page.wait_for_timeout(400)


def test_a_nested_segment_from_its_first_group_to_a_campaign(
    page: Page, up: Up, site: str, client: Client
) -> None:
    for who, plan in (("ada", "pro"), ("bo", "free"), ("cleo", "pro")):
        client.send(
            {
                "type": "identify",
                "userId": who,
                "traits": {"first_name": who.title(), "plan": plan},
            }
        )
    client.send({"type": "track", "userId": "ada", "event": "Product Added"})

    log_in(page, up, site)
    page.goto(f"{site}/admin/segments/segment/add/")
    page.fill("input[name=name]", "Cart fillers")
    page.fill("[name='r-0.name']", "Product Added")
    expect(page.locator("[data-size]")).to_have_text("1")
    press(page, "group:r")
    choose(page, "r-1-0", "attribute")
    page.fill("[name='r-1-0.trait']", "plan")
    page.fill("[name='r-1-0.value']", "pro")
    expect(page.locator("[data-size]")).to_have_text("1")
    page.click("button[value=save]")
    page.wait_for_url(re.compile(r"/segment/\d+/change/$"))
    segment = page.url.removesuffix("change/")

    # Built in the background; then events move it.
    page.goto(f"{segment}overview/")
    expect(page.locator(".seg-progress")).to_have_count(0)
    expect(page.locator(".apr-figure b")).to_have_text("1")
    for who in ("bo", "cleo"):
        client.send({"type": "track", "userId": who, "event": "Product Added"})
    for _ in range(45):
        page.reload()
        if page.locator(".apr-figure b").inner_text() == "2":
            break
        page.wait_for_timeout(1_000)
    expect(page.locator(".apr-figure b")).to_have_text("2")

    page.goto(f"{segment}people/?contact=bo")
    expect(page.locator("body")).to_contain_text("is not in")
    expect(page.locator("body")).to_contain_text('plan is "free"')

    campaign = write_campaign(page, site, "Cart", "Still thinking?")
    launch(page, campaign)
    page.goto(f"{segment}overview/")
    expect(page.locator("body")).to_contain_text("Cart")
