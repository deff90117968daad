"""Every page of the admin, from its registry, in a browser as wide as a phone.

Nothing is wider than the screen, nothing is complained of in the console, every field
has a name, and a page weighs no more than it may.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import ConsoleMessage, Page, sync_playwright

from crm.admin.quality import PARTS
from segments.editing import save_segment
from tests.edges.site import list_models, name_list
from tests.edges.world import World, forget_log, make_world
from tests.factories import make_contact

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
PHONE = {"width": 390, "height": 844}
# Words without a space, as long as they come.
LONG = "Wayfarer" * 9
HTML_MAX = 400_000
READ_PAGE = """() => ({
  width: document.documentElement.scrollWidth,
  wide: [...document.querySelectorAll('main *, #content *, form *')]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1
      && !one.closest('[data-simplebar], .apr-scroll, .apr-tabs, pre'))
    .slice(0, 3).map((one) => one.outerHTML.slice(0, 120)),
  nameless: [...document.querySelectorAll(
      'input:not([type=hidden]):not([type=submit]), select, textarea')]
    .filter((one) => one.offsetParent && !one.labels.length && !one.placeholder
      && !one.title && !one.getAttribute('aria-label')
      && !one.getAttribute('aria-labelledby'))
    .map((one) => one.outerHTML.slice(0, 120)),
})"""


@pytest.fixture
def world(settings: Any, tmp_path: Any) -> World:
    forget_log(settings, tmp_path)
    return make_world(LONG)


@pytest.fixture
def page(live_server: Any, chromium_path: str, world: World) -> Iterator[Page]:
    User.objects.create_superuser("ada", "a@example.com", "ada")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path, args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(viewport=PHONE, base_url=live_server.url)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.goto("/admin/login/?next=/admin/")
        page.fill("[name=username]", "ada")
        page.fill("[name=password]", "ada")
        page.click("button[type=submit]")
        page.wait_for_url("**/admin/")
        yield page
        browser.close()


def list_pages(world: World) -> list[str]:
    """Lists, empty searches, forms and rows of every model, and the pages beside."""
    pages = ["/admin/", "/admin/password_change/"]
    for model in list_models():
        address, row = name_list(model), model._default_manager.first()
        pages += [address, f"{address}?q=nobody%20at%20all", f"{address}add/"]
        if row is not None:
            own = f"{address}{quote(str(row.pk), safe='')}"
            pages += [f"{own}/{deed}/" for deed in ("change", "delete")]
    quality = "/admin/crm/eventday/?part="
    pages += [f"{quality}{part}" for part in PARTS]
    campaign = f"/admin/notifications/campaign/{world.campaign.pk}"
    pages += [f"{campaign}/{part}/" for part in ("preview", "check", "report")]
    contact = f"/admin/crm/contact/{world.contact.pk}/merge/"
    other = make_contact("double 2", traits={"name": LONG})
    pages += [contact, f"{contact}?q=double&other={other.pk}"]
    segment = f"/admin/segments/segment/{world.segment.pk}"
    pages += [f"{segment}/{part}/" for part in ("overview", "versions")]
    rule = {"version": 1, "root": {"type": "everyone"}}
    listed = save_segment(name=f"List {LONG}", rule=rule, kind="static", actor="x")
    pages.append(f"/admin/segments/segment/{listed.pk}/fill/")
    people = f"{segment}/people/"
    pages += [people, f"{people}?contact={world.contact.uuid}", f"{people}?contact=x"]
    return pages


def test_every_page_fits_a_phone_and_the_console_is_silent(
    page: Page, world: World
) -> None:
    said: list[str] = []
    page.on("console", lambda message: note(said, page, message))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    faults: dict[str, Any] = {}
    for address in list_pages(world):
        answer = page.goto(address, wait_until="load")
        assert answer is not None
        assert answer.status in (200, 403), address
        fault = find_faults(page, len(answer.body()))
        if answer.status == 200 and fault:
            faults[address] = fault
    assert faults == {}
    assert said == []


def note(said: list[str], page: Page, message: ConsoleMessage) -> None:
    # 403: the page of a deed that nobody may do; hints about forms are no complaint.
    if message.type in ("error", "warning") and "403" not in message.text:
        said.append(f"{page.url}: {message.text} ({message.location.get('url')})")


def find_faults(page: Page, weight: int) -> dict[str, Any]:
    seen = page.evaluate(READ_PAGE)
    faults = {"nameless": seen["nameless"]} if seen["nameless"] else {}
    if seen["width"] > PHONE["width"]:
        faults["wide"] = [seen["width"], *seen["wide"]]
    if weight > HTML_MAX:
        faults["weight"] = weight
    return faults
