"""A marketer's first afternoon, in a real browser, on a whole running product.

Log in, build a segment, write a campaign, preview, launch, see the push on the
phone screen, tap it, see the open and the conversion in the report, change the
preference, see the next send skipped with its reason.
"""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.faults.test_up import (
    CHECKOUT,
    Up,
    build_environment,
    data,
    manage,
    start_up,
    wait_until,
)

__all__ = ["data", "start_up"]

pytestmark = [pytest.mark.slow, pytest.mark.browser]

WAIT_S = 90


class Client:
    """An integrator's: one key, JSON in and out."""

    def __init__(self, site: str, key: str) -> None:
        self._site = site
        self._basic = b64encode(f"{key}:".encode()).decode()

    def call(self, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self._site}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Basic {self._basic}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def send(self, *calls: dict[str, Any]) -> None:
        answer = self.call("/v1/batch", {"batch": list(calls)})
        assert answer["rejected"] == []


def find_daytime_zone() -> str:
    """A zone where it is between 8 and 20 now: no quiet hours for this story."""
    hour = datetime.now(UTC).hour
    # Etc/GMT-n is n hours ahead of UTC.
    ahead = (14 - hour + 12) % 24 - 12
    return f"Etc/GMT{'-' if ahead >= 0 else '+'}{abs(ahead)}" if ahead else "UTC"


@pytest.fixture
def up(start_up: Callable[..., Up]) -> Up:
    return start_up().wait_until_ready()


@pytest.fixture
def site(up: Up) -> str:
    return f"http://localhost:{up.port}"


@pytest.fixture
def client(up: Up, site: str) -> Client:
    done = subprocess.run(
        [*manage(CHECKOUT), "create_api_key", "--scope", "admin"],
        env=build_environment(up.data),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return Client(site, done.stdout.splitlines()[-1])


@pytest.fixture
def page(chromium_path: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(WAIT_S * 1000)
        expect.set_options(timeout=WAIT_S * 1000)
        yield page
        browser.close()


def log_in(page: Page, up: Up, site: str) -> None:
    found = re.search(r"Login\s+(\S+) / (\S+)", up.output)
    assert found is not None, up.output
    page.goto(f"{site}/admin/")
    page.fill("#id_username", found[1])
    page.fill("#id_password", found[2])
    page.click("button[type=submit]")
    expect(page).to_have_title(re.compile("Overview"))


def build_segment(page: Page, site: str) -> None:
    page.goto(f"{site}/admin/segments/segment/add/")
    page.fill("input[name=name]", "Cart fillers")
    kind = page.locator("select[name$='.type']").first
    if kind.input_value() != "event":
        # The builder draws itself anew; what is typed before would be lost.
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            kind.select_option("event")
        page.wait_for_timeout(300)
    event = page.locator("input[list=events]").first
    event.fill("Product Added")
    event.blur()
    expect(page.locator("body")).to_contain_text("1 person")
    page.click("button[value=save]")
    expect(page.locator("body")).to_contain_text("Cart fillers")


def write_campaign(page: Page, site: str, name: str, title: str) -> str:
    """Fill the form and save it; answers the campaign's admin address."""
    page.goto(f"{site}/admin/notifications/campaign/add/")
    page.fill("[name=name]", name)
    page.select_option("[name=segment]", label="Cart fillers")
    page.select_option("[name=topic]", label="Promotions & Deals")
    page.fill("[name=title]", title)
    page.fill("[name=body]", "Your {{ customer.favourite | default: 'cart' }} waits.")
    page.fill("[name=link]", "https://shop.example/cart?from=push#top")
    page.fill("[name=goal_event]", "Order Completed")
    page.click("[name=_continue]")
    expect(page.locator("body")).to_contain_text("Check and launch")
    return page.url.split("/change/")[0]


def launch(page: Page, campaign: str) -> None:
    page.goto(f"{campaign}/check/")
    page.click("button:has-text('Launch')")
    expect(page.locator("body")).to_contain_text(
        re.compile("Scheduled|Running|Finished")
    )


def choose_promotions(page: Page, client: Client, person: str, *, on: bool) -> None:
    """As the person, by the signed link, without a login."""
    link = client.call(f"/api/contacts/{person}/preference-link/")["url"]
    context = page.context.browser.new_context()
    theirs = context.new_page()
    theirs.goto(link)
    switch = theirs.get_by_role("switch", name="Promotions & Deals")
    assert switch.is_checked() is not on
    with theirs.expect_response(lambda answer: answer.request.method == "POST"):
        switch.click()
    expect(theirs.locator("body")).to_contain_text("Saved")
    context.close()


def count(client: Client, campaign: str) -> dict[str, Any]:
    number = campaign.rsplit("/", 1)[1]
    return client.call(f"/api/campaigns/{number}/report/")


def test_a_first_campaign_from_login_to_conversion_to_opt_out(
    page: Page, up: Up, site: str, client: Client
) -> None:
    client.send(
        {
            "type": "identify",
            "userId": "ada",
            "traits": {
                "first_name": "Ada",
                "timezone": find_daytime_zone(),
                "favourite": "jacket",
            },
            "context": {"device": {"token": "story-phone-ada", "type": "ios"}},
        },
        {"type": "track", "userId": "ada", "event": "Product Added"},
    )
    (ada,) = client.call("/api/contacts/?external_id=ada")["results"]
    choose_promotions(page, client, ada["uuid"], on=True)

    log_in(page, up, site)
    build_segment(page, site)
    campaign = write_campaign(page, site, "Cart", "Still thinking, {first_name}?")
    page.goto(f"{campaign}/preview/?q=ada")
    expect(page.locator("body")).to_contain_text("Still thinking, Ada?")
    expect(page.locator("body")).to_contain_text("Your jacket waits.")
    expect(page.locator("body")).to_contain_text(
        "https://shop.example/cart?from=push&utm_source=push"
        "&utm_medium=notification&utm_campaign=cart#top"
    )
    launch(page, campaign)
    assert wait_until(lambda: count(client, campaign)["sent"], timeout_s=WAIT_S), (
        json.dumps(client.call("/api/deliveries/"))
    )

    page.goto(f"{site}/sandbox/")
    card = page.locator("[data-card]", has_text="Still thinking, Ada?")
    expect(card).to_be_visible()
    card.locator(".tap-area").click()
    assert wait_until(lambda: count(client, campaign)["opened"] == 1, timeout_s=WAIT_S)

    client.send(
        {
            "type": "track",
            "userId": "ada",
            "event": "Order Completed",
            "properties": {"total": 189, "currency": "GBP"},
        }
    )
    assert wait_until(
        lambda: count(client, campaign)["converted"] == 1, timeout_s=WAIT_S
    )
    page.goto(f"{campaign}/report/")
    expect(page.locator("body")).to_contain_text("189")

    choose_promotions(page, client, ada["uuid"], on=False)
    second = write_campaign(page, site, "Again", "Once more, {first_name}")
    launch(page, second)
    assert wait_until(lambda: count(client, second)["skipped"] == 1, timeout_s=WAIT_S)
    page.goto(f"{second}/report/")
    expect(page.locator("body")).to_contain_text("Has not agreed")
    page.goto(f"{site}/sandbox/")
    expect(page.locator("body")).not_to_contain_text("Once more")
