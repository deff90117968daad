"""What a save refuses of a message, each fault on its own field."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from notifications.campaigns.compose import clean_fields
from tests.notifications.factories import make_brand

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("_case", "fields", "path"),
    [
        ("reserved", {"data": {"google.x": "1"}}, "data.google.x"),
        ("ours", {"data": {"delivery_id": "1"}}, "data.delivery_id"),
        ("script", {"link": "javascript:alert(1)"}, "link"),
        ("unknown scheme", {"link": "otherapp://x"}, "link"),
        ("button", {"buttons": [{"title": "A", "link": "data:x"}]}, "buttons[0].link"),
        ("untitled", {"buttons": [{"title": "", "link": ""}]}, "buttons[0].title"),
        ("image", {"image_url": "http://example.org/a.png"}, "image_url"),
        ("syntax", {"title": "{{ customer.name "}, "title"),
        ("filter", {"body": "{{ customer.name | shout }}"}, "body"),
    ],
)
def test_what_no_phone_may_get_is_refused_by_its_path(
    _case: str, fields: dict[str, Any], path: str
) -> None:
    make_brand()
    with pytest.raises(ValidationError) as caught:
        clean_fields({"title": "Hi", "body": "You", **fields})
    assert list(caught.value.message_dict) == [path]


@pytest.mark.parametrize(
    ("_case", "fields"),
    [
        ("no body yet", {"body": ""}),
        ("the app's own link", {"link": "myapp://products/shoes"}),
        ("a link made of values", {"link": "https://shop.example/{{ event.path }}"}),
        ("a value nobody has here", {"body": "Hi {{ customer.first_name }}"}),
        ("arithmetic on it", {"body": "{{ event.price | times: 2 }}"}),
        ("a long text", {"body": "a" * 900}),
    ],
)
def test_an_unfinished_or_personal_draft_is_kept(
    _case: str, fields: dict[str, Any]
) -> None:
    make_brand()
    clean_fields({"title": "Hi", "body": "You", **fields})


def test_other_channels_are_not_measured_as_pushes() -> None:
    clean_fields({"title": "Hi", "link": "otherapp://x"}, channel="email")
