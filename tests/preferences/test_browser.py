"""The public page in a real browser, at phone width, with and without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from preferences.models import ConsentRecord, PreferenceCenter, Subscription
from preferences.tokens import build_preference_url, build_unsubscribe_url

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def link(live_server, contact, center: PreferenceCenter) -> str:
    return build_preference_url(contact, center=center, site_url=live_server.url)


def open_page(browser: Browser, link: str, *, javascript: bool) -> Page:
    context = browser.new_context(viewport=PHONE, java_script_enabled=javascript)
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto(link)
    return page


def read_states() -> dict[str, str]:
    return {row.subject: row.state for row in Subscription.objects.all()}


def test_each_click_is_saved_at_once(browser, link):
    page = open_page(browser, link, javascript=True)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    expect(page.get_by_role("button", name="Save")).to_be_hidden()
    page.get_by_role("switch", name="Promotions & Deals").check()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    # What the click turned on with it is shown without a reload.
    expect(page.get_by_role("switch", name="Enable all")).to_be_checked()
    chips = page.get_by_role("group", name="Promotions & Deals")
    with page.expect_response("**/preferences/"):
        chips.get_by_label("SMS").uncheck()
    assert read_states() == {
        "Promotions & Deals": "subscribed",
        "Promotions & Deals · SMS": "unsubscribed",
    }
    page.reload()
    expect(chips.get_by_label("SMS")).not_to_be_checked()
    expect(chips.get_by_label("Push")).to_be_checked()
    assert faults == []


def test_quick_clicks_end_where_the_person_left_them(browser, link):
    page = open_page(browser, link, javascript=True)
    switch = page.get_by_role("switch", name="New Content Alerts")
    for _ in range(7):
        switch.click()
    page.wait_for_load_state("networkidle")
    page.reload()
    expect(switch).to_be_checked()


def test_the_keyboard_is_enough(browser, link):
    page = open_page(browser, link, javascript=True)
    with page.expect_response("**/preferences/"):
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
    assert read_states()["All notifications"] == "subscribed"
    expect(page.get_by_role("switch", name="Enable all")).to_be_focused()


def test_a_failed_save_says_so(browser, link):
    page = open_page(browser, link, javascript=True)
    page.context.clear_cookies(name="apropos_preferences")
    page.get_by_role("switch", name="Promotions & Deals").check()
    expect(page.get_by_role("status")).to_contain_text("Not saved")
    assert ConsentRecord.objects.count() == 0


def test_it_works_without_javascript(browser, link):
    page = open_page(browser, link, javascript=False)
    page.get_by_role("switch", name="New Content Alerts").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    assert read_states() == {"New Content Alerts": "subscribed"}


def test_unsubscribing_takes_one_button(browser, live_server, contact, center):
    link = build_unsubscribe_url(contact, center=center, site_url=live_server.url)
    page = open_page(browser, link, javascript=False)
    assert ConsentRecord.objects.count() == 0
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading", name="You are unsubscribed")).to_be_visible()
    assert read_states() == {"All notifications": "unsubscribed"}


def test_nothing_is_wider_than_the_phone(browser, link):
    page = open_page(browser, link, javascript=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
