from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from preferences.consent import Choice, record_choices
from preferences.models import ConsentRecord, LinkGuess, Subscription
from preferences.tokens import build_preference_url, build_unsubscribe_url
from tests.preferences.conftest import AT

PAGE = "/preferences/"


def path_of(url):
    return "/" + url.split("/", 3)[3]


@pytest.fixture
def page_path(contact, center):
    return path_of(build_preference_url(contact, center=center))


@pytest.fixture
def stop_path(contact, center):
    topic = center.topics.get(key="promotions")
    url = build_unsubscribe_url(contact, center=center, channel="email", topic=topic)
    return path_of(url)


@pytest.fixture
def visitor(client, page_path):
    """A browser that opened the link."""
    client.get(page_path)
    return client


def read_shown(response):
    return re.search(r'id="shown" value="([^"]*)"', response.content.decode())[1]


def click(visitor, name, *, on, shown):
    """What htmx posts: the whole form, and the id of the switch clicked."""
    posted = set(shown.split()) | {name} if on else set(shown.split()) - {name}
    html_id = "s-" + name.replace(":", "-")
    return visitor.post(
        PAGE,
        {"shown": shown, "on": sorted(posted)},
        headers={"HX-Request": "true", "HX-Trigger": html_id},
    )


def read_states():
    return {row.subject: row.state for row in Subscription.objects.all()}


def test_the_token_leaves_the_address_at_the_first_hit(client, page_path):
    response = client.get(page_path)
    assert (response.status_code, response["Location"]) == (302, PAGE)
    cookie = response.cookies["apropos_preferences"]
    assert cookie.value in page_path
    assert (cookie["path"], cookie["samesite"]) == (PAGE, "Lax")
    assert cookie["httponly"]
    page = client.get(PAGE)
    assert page.status_code == 200
    assert cookie.value not in page.content.decode()


def test_pages_leak_and_load_nothing(visitor, page_path, stop_path):
    for path in (page_path, PAGE, stop_path, "/p/forged"):
        response = visitor.get(path)
        assert response["Referrer-Policy"] == "no-referrer", path
        assert response["Cache-Control"] == "no-store", path
        policy = response["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; "), path
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        html = response.content.decode()
        assert not re.search(r'(?:src|action|data|srcset)="(?:https?:)?//', html), path
        assert not re.search(r'<link[^>]+href="(?:https?:)?//', html), path
        assert " style=" not in html
        assert not re.search(r"<script(?![^>]+src=)", html)


def test_the_page_is_small(visitor):
    html = visitor.get(PAGE).content
    names = set(re.findall(rb'(?:src|href)="/static/([^"]+)"', html))
    assert names == {
        b"preferences/page.css",
        b"preferences/page.js",
        b"django_htmx/htmx-2.min.js",
    }
    files = [Path(finders.find(name.decode())).read_bytes() for name in names]
    assert len(html) < 20_000
    assert sum(len(gzip.compress(f, mtime=0)) for f in [html, *files]) < 30_000


def test_the_page_takes_few_queries(visitor, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        visitor.get(PAGE)
    with django_assert_max_num_queries(16):
        click(visitor, "master", on=True, shown="")


def test_looking_changes_nothing(visitor, page_path, stop_path):
    for path in (page_path, PAGE, stop_path):
        for _ in range(100):
            visitor.get(path)
        visitor.head(path)
        visitor.options(path)
    assert ConsentRecord.objects.count() == 0
    assert Subscription.objects.count() == 0


def test_a_click_is_saved_at_once(visitor, contact):
    shown = read_shown(visitor.get(PAGE))
    response = click(visitor, "topic:promotions:push", on=True, shown=shown)
    assert response.status_code == 200
    assert "Saved" in response.content.decode()
    assert read_states() == {"Promotions & Deals · Push": "subscribed"}
    [row] = ConsentRecord.objects.all()
    assert (row.actor, row.source, row.wording_version) == ("self", "page", 1)
    assert row.address == "127.0.0.0/24"
    assert row.contact_uuid == contact.uuid


def test_the_same_post_twice_writes_once(visitor):
    shown = read_shown(visitor.get(PAGE))
    for _ in range(2):
        click(visitor, "topic:promotions", on=True, shown=shown)
    assert ConsentRecord.objects.count() == 1


def test_a_second_click_counts_before_the_page_heard_of_the_first(visitor):
    shown = read_shown(visitor.get(PAGE))
    click(visitor, "topic:promotions", on=True, shown=shown)
    click(visitor, "topic:promotions", on=False, shown=shown)
    assert read_states() == {"Promotions & Deals": "unsubscribed"}


def test_switches_that_moved_with_the_click_come_back(visitor):
    shown = read_shown(visitor.get(PAGE))
    html = click(visitor, "master", on=True, shown=shown).content.decode()
    assert 'id="s-topic-promotions"' in html
    assert read_states()["Promotions & Deals"] == "subscribed"
    assert "Order Updates" not in read_states()


def test_turning_all_on_again_widens_nothing(visitor, contact, center):
    changes = [Choice(topic_key="promotions")]
    record_choices(
        contact, center=center, changes=changes, at=AT, actor="self", source="page"
    )
    for on in (False, True):
        shown = read_shown(visitor.get(PAGE))
        click(visitor, "master", on=on, shown=shown)
    assert read_states() == {
        "Promotions & Deals": "subscribed",
        "All notifications": "subscribed",
    }


def test_the_whole_form_works_without_javascript(visitor):
    shown = read_shown(visitor.get(PAGE))
    response = visitor.post(
        PAGE, {"shown": shown, "on": [*shown.split(), "topic:new-content"]}
    )
    assert (response.status_code, response["Location"]) == (302, PAGE + "?saved")
    assert read_states() == {"New Content Alerts": "subscribed"}
    assert "Saved" in visitor.get(PAGE + "?saved").content.decode()


def test_an_old_tab_undoes_nothing(visitor, contact, center):
    shown = read_shown(visitor.get(PAGE))
    changes = [Choice(subscribed=False)]
    record_choices(
        contact, center=center, changes=changes, at=AT, actor="self", source="api"
    )
    visitor.post(PAGE, {"shown": shown, "on": [*shown.split(), "topic:promotions"]})
    assert read_states()["All notifications"] == "unsubscribed"


def test_foreign_names_in_the_form_are_ignored(visitor):
    names = [
        "topic:nonsense",
        "channel:fax",
        "\x00",
        "<script>",
        "topic:promotions:fax",
    ]
    shown = read_shown(visitor.get(PAGE))
    response = visitor.post(PAGE, {"shown": shown, "on": [*shown.split(), *names]})
    assert response.status_code == 302
    assert ConsentRecord.objects.count() == 0


def test_a_cross_site_post_is_refused(page_path):
    browser = Client(enforce_csrf_checks=True)
    browser.get(page_path)
    assert browser.post(PAGE, {"shown": "", "on": "master"}).status_code == 403
    assert ConsentRecord.objects.count() == 0


def test_without_the_link_there_is_no_page(client, center):
    assert client.get(PAGE).status_code == 404
    assert client.post(PAGE, {"shown": "", "on": "master"}).status_code == 404
    assert LinkGuess.objects.count() == 0


def strip_nonce(response):
    return re.sub(rb'nonce="[^"]+"', b"", response.content)


def test_forged_and_unknown_links_answer_the_same(client, page_path, contact):
    forged = client.get(page_path[:-1] + ("A" if page_path[-1] != "A" else "B"))
    contact.delete()
    unknown = client.get(page_path)
    assert (forged.status_code, unknown.status_code) == (404, 404)
    assert strip_nonce(forged) == strip_nonce(unknown)


def test_a_thousand_guesses_end_in_429_and_a_true_link_still_works(
    client, page_path, stop_path
):
    codes = [client.get(f"/p/guess-{n}").status_code for n in range(1000)]
    assert codes == [404] * 100 + [429] * 900
    assert client.get("/unsubscribe/guess")["Retry-After"] == "3600"
    assert client.get(page_path).status_code == 302
    assert client.post(stop_path).status_code == 200


def test_one_click_ends_it_without_session_or_csrf(stop_path):
    mail_program = Client(enforce_csrf_checks=True)
    for _ in range(2):
        response = mail_program.post(
            stop_path,
            "List-Unsubscribe=One-Click",
            content_type="application/x-www-form-urlencoded",
        )
        assert response.status_code == 200
    [row] = ConsentRecord.objects.all()
    assert (row.action, row.channel, row.source) == (
        "unsubscribed",
        "email",
        "one-click",
    )
    assert row.topic.key == "promotions"


def test_one_click_takes_multipart_too(client, stop_path):
    response = client.post(stop_path, {"List-Unsubscribe": "One-Click"})
    assert response.status_code == 200
    assert ConsentRecord.objects.count() == 1


def test_opening_the_stop_link_asks_first(client, stop_path):
    html = client.get(stop_path).content.decode()
    assert "Unsubscribe?" in html
    assert "Promotions &amp; Deals" in html
    assert '<form method="post">' in html


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(visitor, page_path, stop_path, method):
    for path in (page_path, PAGE, stop_path):
        assert getattr(visitor, method)(path).status_code == 405


def test_hostile_texts_are_printed_as_text(visitor, center):
    center.headline = '<script>alert("x")</script>'
    center.footer = '"><img src=x onerror=alert(1)>'
    center.save()
    html = visitor.get(PAGE).content.decode()
    assert "<script>alert" not in html
    assert "<img src=x" not in html


def test_texts_come_in_the_contacts_language(visitor, contact, center):
    center.locales = ["en", "de"]
    center.translations = {"de": {"headline": "Deine Nachrichten"}}
    center.save()
    contact.locale = "de-AT"
    contact.save()
    html = visitor.get(PAGE).content.decode()
    assert "Deine Nachrichten" in html
    assert '<html lang="de-AT">' in html


def test_preview_is_for_staff_and_saves_nothing(client, admin_client, center):
    url = reverse("preferences:preview", args=[center.pk])
    assert client.get(url).status_code == 302
    response = admin_client.post(url, {"headline": "Draft", "accent": "red;}"})
    html = response.content.decode()
    assert "Draft" in html
    assert "--accent: #4f46e5" in html
    assert "frame-ancestors 'self'" in response["Content-Security-Policy"]
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    center.refresh_from_db()
    assert center.headline == "Your notifications"
