"""Links that may leave, and the campaign's marks on them."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.content.links import (
    check_image,
    check_link,
    check_link_template,
    is_home_screen,
    merge_utm,
)

UTM = {
    "utm_source": "push",
    "utm_medium": "notification",
    "utm_campaign": "winter_sale",
    "utm_content": "womens_boots",
}
MARKS = (
    "utm_source=push&utm_medium=notification"
    "&utm_campaign=winter_sale&utm_content=womens_boots"
)


@pytest.mark.parametrize(
    ("_case", "url", "expected"),
    [
        ("the mission's", "myapp://products/shoes", f"myapp://products/shoes?{MARKS}"),
        ("query", "https://a.no/x?b=1", f"https://a.no/x?b=1&{MARKS}"),
        ("fragment", "https://a.no/x#top", f"https://a.no/x?{MARKS}#top"),
        ("both", "https://a.no/?b=1#top", f"https://a.no/?b=1&{MARKS}#top"),
        ("route in fragment", "https://a.no/#/p?q=1", f"https://a.no/?{MARKS}#/p?q=1"),
        ("bare question mark", "https://a.no/x?", f"https://a.no/x?{MARKS}"),
        ("open ampersand", "https://a.no/x?b=1&", f"https://a.no/x?b=1&{MARKS}"),
        ("no path", "https://a.no", f"https://a.no?{MARKS}"),
        ("encoded", "https://a.no/%C3%A9%2f?q=a%20b+c", None),
        ("international", "https://bücher.example/größe?maß=1", None),
        ("repeated keys", "https://a.no/?a=1&a=2&a[]=3", None),
    ],
)
def test_utm_is_merged_and_the_rest_survives(
    _case: str, url: str, expected: str | None
) -> None:
    assert merge_utm(url, UTM) == (expected or f"{url}&{MARKS}")


@pytest.mark.parametrize(
    ("_case", "url", "expected"),
    [
        (
            "kept and not doubled",
            "https://a.no/?utm_source=mail",
            "https://a.no/?utm_source=mail&utm_campaign=w",
        ),
        (
            "in any case",
            "https://a.no/?UTM_Source=mail#f",
            "https://a.no/?UTM_Source=mail&utm_campaign=w#f",
        ),
        (
            "encoded",
            "https://a.no/?utm%5Fsource=mail",
            "https://a.no/?utm%5Fsource=mail&utm_campaign=w",
        ),
        (
            "empty is a value",
            "https://a.no/?utm_source=&x=1",
            "https://a.no/?utm_source=&x=1&utm_campaign=w",
        ),
    ],
)
def test_the_authors_utm_values_win(_case: str, url: str, expected: str) -> None:
    assert merge_utm(url, {"utm_campaign": "w", "utm_source": "push"}) == expected


def test_utm_values_are_encoded_and_empty_ones_left_out() -> None:
    params = {"utm_campaign": "50% & more/é", "utm_term": "", "ref": "a"}

    assert merge_utm("https://a.no/", params) == (
        "https://a.no/?utm_campaign=50%25%20%26%20more%2F%C3%A9&ref=a"
    )


_URL_PART = st.text(
    st.characters(exclude_characters="?#", exclude_categories=("Cs", "Cc")),
    max_size=12,
)
_QUERY = st.text(st.characters(exclude_characters="#", exclude_categories=("Cs", "Cc")))


@settings(deadline=None)
@given(path=_URL_PART, query=_QUERY, fragment=st.text(max_size=8))
def test_merging_twice_changes_nothing(path: str, query: str, fragment: str) -> None:
    url = f"https://a.no/{path}?{query}#{fragment}"

    merged = merge_utm(url, UTM)

    assert merge_utm(merged, UTM) == merged
    assert merged.startswith(f"https://a.no/{path}?{query}")
    assert merged.endswith(f"#{fragment}")
    keys = [
        key.casefold()
        for key, _ in parse_qsl(urlsplit(merged).query, keep_blank_values=True)
    ]
    assert set(UTM) <= set(keys)


ALLOWED = [
    "https://shop.example",
    "https://shop.example/",
    "https://shop.example/p/1?a=1&b=2#frag",
    "HTTPS://SHOP.EXAMPLE/P",
    "https://shop.example:8443/p",
    "https://shop.example./p",
    "https://bücher.example/größe",
    "https://xn--bcher-kva.example/",
    "https://例え.テスト/パス",
    "https://[2001:db8::1]/x",
    "https://shop.example/a%20b%2Fc",
    "https://shop.example/@name",
    "https://shop.example/?next=https://other.example",
    "https://shop.example/p;v=1,2",
    "https://shop.example/p?email=a@b.c",
    "myapp://products/shoes",
    "MyApp://cart",
    "myapp://cart?item=1#x",
    "my-app.v2://cart",
]


@pytest.mark.parametrize("url", ALLOWED)
def test_allowed_links_pass(url: str) -> None:
    assert check_link(url, app_schemes=("myapp", "my-app.v2")) is None


REFUSED = [
    "",
    " ",
    "shop.example",
    "/relative",
    "//evil.example",
    "///evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:\\\\evil.example",
    "https:///evil.example",
    "https://",
    "https://?x",
    "http://shop.example",
    "ftp://shop.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "javascript://shop.example/%0aalert(1)",
    "java\tscript:alert(1)",
    "\x01javascript:alert(1)",
    " javascript:alert(1)",
    "data:text/html,<script>",
    "data:text/html;base64,PHN2Zz4=",
    "vbscript:x",
    "file:///etc/passwd",
    "intent://scan/#Intent;scheme=zxing;end",
    "content://contacts/people/1",
    "blob:https://shop.example/1",
    "about:blank",
    "view-source:https://shop.example",
    "otherapp://cart",
    "myapp:cart",
    "myapp:/cart",
    "https://user@evil.example/",
    "https://shop.example@evil.example/",
    "https://user:pass@evil.example/",
    "https://shop.example%40evil.example/",
    "https://shop.example%2eevil.example/",
    "https://shop.example\\@evil.example/",
    "https://shop.example\t.evil.example/",
    "https://shop.example\n/x",
    "https://shop.example/\r\nSet-Cookie:x",
    "https://shop.example/a b",
    "https://shop.example/\u202egpj.exe",
    "https://shop.example/\u200b",
    "https://shop.example/\ud800",
    "https://shop.example/\x00",
    "https://shop..example/",
    "https://.example/",
    "https://shop.example:99999/",
    "https://shop.example:0/",
    "https://shop.example:port/",
    "https://[::1/",
    "https://a℀b.example/",
    'https://shop.example/"><script>',
    "https://shop.example/{{x}}",
    "https://shop.example/" + "a" * 2_000,
]


@pytest.mark.parametrize("url", REFUSED)
def test_dangerous_and_broken_links_are_refused(url: str) -> None:
    problem = check_link(url, app_schemes=("myapp", "javascript", "http"), path="link")

    assert problem is not None
    assert (problem.code, problem.path) == ("link_refused", "link")


@pytest.mark.parametrize(
    ("url", "loopback", "allowed"),
    [
        ("https://cdn.example/a.png", False, True),
        ("http://cdn.example/a.png", False, False),
        ("http://127.0.0.1:8000/a.png", False, False),
        ("http://127.0.0.1:8000/a.png", True, True),
        ("http://localhost/a.png", True, True),
        ("http://127.0.0.1@evil.example/a.png", True, False),
        ("http://127.0.0.1.evil.example/a.png", True, False),
        ("http://169.254.169.254/", True, False),
        ("data:image/png;base64,xx", True, False),
        ("myapp://a.png", True, False),
    ],
)
def test_images_are_https_or_on_this_machine(
    url: str, loopback: bool, allowed: bool
) -> None:
    assert (check_image(url, allow_loopback=loopback) is None) is allowed


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        ("https://shop.example/p/{{ event.id }}", True),
        ("https://shop.example?p={{ event.id }}", True),
        ("{{ product.url }}", True),
        ("{% if a %}https://x.example/{% endif %}", True),
        ("myapp://{{ event.screen }}", True),
        ("https://{{ event.host }}/", False),
        ("https://shop.example{{ event.path }}", False),
        ("https:{{ event.rest }}", False),
        ("{{ 'x' }}", True),
        ("java{{ 'script' }}:alert(1)", False),
    ],
)
def test_a_host_may_not_be_completed_by_a_value(source: str, allowed: bool) -> None:
    assert (check_link_template(source) is None) is allowed


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("myapp://", True),
        ("myapp://home", True),
        ("https://shop.example/?utm_source=x", True),
        ("https://shop.example", True),
        ("myapp://cart", False),
        ("https://shop.example/cart", False),
        ("{{ product.url }}", False),
    ],
)
def test_a_bare_home_screen_is_known(source: str, expected: bool) -> None:
    assert is_home_screen(source) is expected
