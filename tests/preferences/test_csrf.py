from __future__ import annotations

import re

import pytest
from django.test import Client

from preferences.models import ConsentRecord
from preferences.tokens import build_preference_url

PAGE = "/preferences/"


@pytest.mark.parametrize("is_secure", [False, True])
@pytest.mark.parametrize(
    ("_case", "headers", "has_token", "status"),
    [
        ("our form, no referrer", {"Sec-Fetch-Site": "same-origin"}, True, 302),
        ("our form without its token", {"Sec-Fetch-Site": "same-origin"}, False, 403),
        ("another site", {"Sec-Fetch-Site": "cross-site"}, True, 403),
        ("another port", {"Sec-Fetch-Site": "same-site"}, True, 403),
        ("unknown", {}, True, 403),
    ],
)
def test_a_null_origin_is_ours_only_where_the_browser_says_so(
    contact, center, _case, headers, has_token, status, is_secure
):
    browser = Client(enforce_csrf_checks=True)
    url = build_preference_url(contact, center=center, site_url="http://testserver")
    browser.get(url.removeprefix("http://testserver"), secure=is_secure)
    html = browser.get(PAGE, secure=is_secure).content.decode()
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', html)[1]
    body = {"shown": "", "on": ["channel:push", "topic:promotions"]}
    body |= {"csrfmiddlewaretoken": token} if has_token else {}
    response = browser.post(
        PAGE, body, headers={"Origin": "null"} | headers, secure=is_secure
    )
    assert response.status_code == status
    assert ConsentRecord.objects.exists() is (status == 302)
