"""A push as the phone gets it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from firebase_admin import messaging
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.channels.base import Button as OutgoingButton
from notifications.channels.base import OutgoingPush
from notifications.channels.fcm_message import build_message
from notifications.content.errors import RenderAborted, RenderError
from notifications.content.render import (
    Button,
    LinkRules,
    PushContent,
    PushLimits,
    RenderedButton,
    RenderedPush,
    is_reserved_key,
    measure_push,
    render_push,
)

ADA: dict[str, Any] = {
    "customer": {"first_name": "Ada", "city": "Oslo"},
    "event": {"product_id": "boots/7"},
}
RULES = LinkRules(
    utm={"utm_source": "push", "utm_campaign": "winter"}, app_schemes=("myapp",)
)


def test_every_field_is_rendered() -> None:
    content = PushContent(
        title="Hi {{ customer.first_name }}",
        body="New in {{ customer.city }}",
        image_url="https://cdn.example/{{ event.product_id }}.png",
        link="myapp://products/{{ event.product_id }}#top",
        sound="{{ 'chime' | append: '.caf' }}",
        channel_id="offers",
        badge="{{ 1 | plus: 1 }}",
        buttons=(Button("Shop {{ customer.city }}", "https://a.no/x?b=1"),),
        data={"screen": "{{ event.product_id }}"},
    )

    push = render_push(content, ADA, rules=RULES)

    assert push == RenderedPush(
        title="Hi Ada",
        body="New in Oslo",
        image_url="https://cdn.example/boots/7.png",
        link="myapp://products/boots/7?utm_source=push&utm_campaign=winter#top",
        sound="chime.caf",
        channel_id="offers",
        badge=2,
        buttons=(
            RenderedButton(
                "Shop Oslo",
                "https://a.no/x?b=1&utm_source=push&utm_campaign=winter",
            ),
        ),
        data={"screen": "boots/7"},
        size_bytes=measure_push(push),
        truncated=(),
    )


def test_the_mission_link_is_exact() -> None:
    rules = LinkRules(
        utm={
            "utm_source": "push",
            "utm_medium": "notification",
            "utm_campaign": "winter_sale",
            "utm_content": "womens_boots",
        },
        app_schemes=("myapp",),
    )
    content = PushContent(body="x", link="myapp://products/shoes")

    assert render_push(content, {}, rules=rules).link == (
        "myapp://products/shoes?utm_source=push&utm_medium=notification"
        "&utm_campaign=winter_sale&utm_content=womens_boots"
    )


def test_long_texts_are_cut_by_grapheme_and_links_are_not() -> None:
    link = "https://a.no/" + "x" * 1_000
    content = PushContent(title="T" * 66, body="👩\u200d👧" * 241, link=link)

    push = render_push(content, {}, limits=PushLimits(payload_bytes=20_000))

    assert push.title == "T" * 64 + "…"
    assert push.body == "👩\u200d👧" * 239 + "…"
    assert push.link == link
    assert push.truncated == ("title", "body")


def test_a_body_of_many_bytes_is_cut_until_the_payload_fits() -> None:
    content = PushContent(
        title="Hi", body="👨\u200d👩\u200d👧\u200d👦" * 200 + '"' * 40
    )

    push = render_push(content, {})

    limits = PushLimits()
    assert push.size_bytes == measure_push(push)
    assert push.size_bytes <= limits.payload_bytes - limits.reserve_bytes
    assert push.size_bytes > limits.payload_bytes - limits.reserve_bytes - 60
    assert push.body.endswith("…")
    assert push.truncated == ("body",)


@pytest.mark.parametrize("platform", ["android", "ios", "web"])
def test_the_fullest_push_fits_what_the_provider_takes(platform: str) -> None:
    content = PushContent(
        title="É" * 65,
        body="👨\u200d👩\u200d👧\u200d👦" * 240,
        image_url="https://cdn.example/" + "i" * 200,
        link="https://shop.example/" + "l" * 200,
        sound="chime.caf",
        channel_id="offers",
        buttons=(Button('Say "now" 🌬️' * 3, "https://shop.example/" + "b" * 100),) * 3,
        data={"screen": '"' * 100},
    )
    push = render_push(content, {})
    outgoing = OutgoingPush(
        delivery_id="0199f3d2-7d3c-7000-8000-000000000000",
        token="t",
        fid="",
        platform=platform,
        title=push.title,
        body=push.body,
        image_url=push.image_url,
        link=push.link,
        sound=push.sound,
        channel_id=push.channel_id,
        buttons=tuple(
            OutgoingButton(id=str(index), title=button.title, link=button.link)
            for index, button in enumerate(push.buttons)
        ),
        data={
            **push.data,
            "apropos_token": "x" * 22,
            "apropos_url": "https://crm.example/v1/push/" + "x" * 43,
        },
        ttl_s=86_400,
        analytics_label="campaign-123456",
    )

    message = json.loads(str(build_message(messaging, outgoing, now_s=1_800_000_000)))

    del message["token"]
    size = len(json.dumps(message, ensure_ascii=False).encode())
    assert size <= 4_096
    assert size > 2_800, "the fullest push should use most of what there is"


def test_what_does_not_fit_even_without_a_body_is_too_long() -> None:
    content = PushContent(
        body="Hi", data={"a": "{{ customer.long }}", "b": "{{ customer.long }}"}
    )

    with pytest.raises(RenderError) as caught:
        render_push(content, {"customer": {"long": "x" * 2_000}})

    assert caught.value.reason == "too_long"


@settings(deadline=None)
@given(st.text(min_size=1), st.text(min_size=1))
def test_any_text_leaves_clean_and_within_the_payload(title: str, body: str) -> None:
    content = PushContent(title="Hi {{ c.a }}", body="So {{ c.b }}")
    context = {"c": {"a": title + "x", "b": body + "x"}}

    push = render_push(content, context)

    assert push.size_bytes <= 4_096
    assert "\n" not in push.title
    json.dumps([push.title, push.body]).encode()
    push.title.encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\u202egpj.exe", "agpj.exe"),
        ("a\x00\x1b[2Jb", "a[2Jb"),
        ("a\ud800b", "ab"),
        ("e" + "\u0301" * 10_000, None),
    ],
)
def test_hostile_values_are_cleaned(value: str, expected: str | None) -> None:
    push = render_push(PushContent(body="{{ v.x }}"), {"v": {"x": value}})

    assert push.body == (expected or "e" + "\u0301" * 8)


@pytest.mark.parametrize(("policy", "skip"), [("fail", False), ("skip", True)])
def test_a_missing_value_follows_the_policy(policy: Any, skip: bool) -> None:
    content = PushContent(title="Hi", body="{{ customer.gone }}", on_missing=policy)

    with pytest.raises(RenderError) as caught:
        render_push(content, ADA)

    error = caught.value
    assert (error.reason, error.path, error.line, error.skip) == (
        "template_missing_value",
        "body",
        1,
        skip,
    )
    assert str(error) == "body line 1: customer.gone is missing"


def test_the_policy_does_not_hide_broken_templates() -> None:
    content = PushContent(body="{{ customer.city | nope }}", on_missing="skip")

    with pytest.raises(RenderError) as caught:
        render_push(content, ADA)

    assert (caught.value.reason, caught.value.skip) == ("template_error", False)


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (PushContent(body="x", link="javascript:alert(1)"), "link"),
        (PushContent(body="x", link="{{ event.url }}"), "link"),
        (PushContent(body="x", link="https://a.no{{ event.tail }}"), "link"),
        (PushContent(body="x", link="otherapp://x"), "link"),
        (
            PushContent(body="x", buttons=(Button("a", "x"), Button("b", "data:x"))),
            "buttons.0.link",
        ),
        (PushContent(body="x", image_url="http://cdn.example/a.png"), "image_url"),
        (PushContent(body="x", image_url="http://127.0.0.1/a.png"), "image_url"),
    ],
)
def test_refused_links_stop_the_message(content: PushContent, path: str) -> None:
    event = {"url": "//evil.example", "tail": "@evil.example"}

    with pytest.raises(RenderError) as caught:
        render_push(content, {"event": event}, rules=RULES)

    assert (caught.value.reason, caught.value.path) == ("link_refused", path)


def test_the_sandbox_may_show_images_of_this_machine() -> None:
    content = PushContent(body="x", image_url="http://127.0.0.1:8000/boot.png")

    push = render_push(content, {}, rules=LinkRules(allow_loopback_images=True))

    assert push.image_url == "http://127.0.0.1:8000/boot.png"


def test_an_optional_image_may_be_absent() -> None:
    content = PushContent(body="x", image_url="{{ event.image | default: '' }}")

    assert render_push(content, {"event": {}}).image_url == ""


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (PushContent(), ""),
        (PushContent(title="{{ '' }}", body=" "), ""),
        (PushContent(body="x", badge="many"), "badge"),
        (PushContent(body="x", badge="-1"), "badge"),
        (PushContent(body="x", data={"google.x": "1"}), "data.google.x"),
        (PushContent(body="x", buttons=(Button("a"),) * 4), "buttons"),
    ],
)
def test_impossible_messages_are_template_errors(
    content: PushContent, path: str
) -> None:
    with pytest.raises(RenderError) as caught:
        render_push(content, {})

    assert (caught.value.reason, caught.value.path) == ("template_error", path)


def test_an_abort_in_any_field_stops_the_message() -> None:
    content = PushContent(title="Hi", body="x", link="{% abort 'sold out' %}")

    with pytest.raises(RenderAborted) as caught:
        render_push(content, {})

    assert caught.value.reason == "sold out"


@pytest.mark.parametrize(
    ("key", "reserved"),
    [
        ("from", True),
        ("FROM", True),
        ("gcm", True),
        ("gcm.notification.x", True),
        ("google", True),
        ("googleplay", True),
        ("message_type", True),
        ("delivery_id", True),
        ("apropos_token", True),
        ("", True),
        ("screen", False),
        ("from_city", False),
    ],
)
def test_reserved_keys(key: str, reserved: bool) -> None:
    assert is_reserved_key(key) is reserved
