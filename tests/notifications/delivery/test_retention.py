"""What people were shown is kept 90 days, and not a day longer."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from crm.models.partitions import ensure_partitions
from notifications.delivery.retention import (
    CHUNK,
    TEXT_LIFE,
    forget_api_sends,
    forget_texts,
)
from notifications.models import ApiSend, Delivery, RenderedMessage
from notifications.tasks import forget_texts as tick
from tests.factories import make_campaign, make_contact, make_delivery

pytestmark = pytest.mark.django_db

TABLE = "notifications_renderedmessage"
# No migration makes partitions so far back, and other tests write none.
NOW = datetime(2001, 7, 20, 12, tzinfo=UTC)


def write_texts(*, age: timedelta, count: int = 1) -> None:
    RenderedMessage.objects.bulk_create(
        RenderedMessage(
            delivery_id=uuid.uuid4(),
            created_at=NOW - age,
            contact_id=1,
            locale="en",
            fields={"title": "Hello"},
        )
        for _ in range(count)
    )


def list_months() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' "
            "AND relname LIKE %s ORDER BY 1",
            [f"{TABLE}_y2001%"],
        )
        return [name.removeprefix(f"{TABLE}_") for (name,) in cursor.fetchall()]


def test_a_text_is_deleted_after_90_days_and_not_before() -> None:
    write_texts(age=TEXT_LIFE)
    write_texts(age=TEXT_LIFE + timedelta(seconds=1), count=CHUNK + 3)

    assert forget_texts(now=NOW) == CHUNK + 3

    assert RenderedMessage.objects.get().created_at == NOW - TEXT_LIFE
    assert forget_texts(now=NOW) == 0


def test_a_month_that_is_over_for_good_is_dropped_whole() -> None:
    first = datetime(2001, 2, 1, tzinfo=UTC).date()
    ensure_partitions(TABLE, first=first, last=NOW.date())
    assert list_months()[0] == "y2001m02"
    # 21 April is 90 days before: March is over, April is not.
    write_texts(age=TEXT_LIFE + timedelta(days=30))
    write_texts(age=TEXT_LIFE + timedelta(days=1))
    write_texts(age=TEXT_LIFE - timedelta(days=1))

    assert forget_texts(now=NOW) == 1

    assert list_months() == ["y2001m04", "y2001m05", "y2001m06", "y2001m07"]
    assert RenderedMessage.objects.count() == 1


def test_the_tick_leaves_the_delivery_and_its_state() -> None:
    row = make_delivery(make_campaign(), make_contact())
    RenderedMessage.objects.create(
        delivery_id=row.pk, created_at=NOW, contact_id=1, locale="en", fields={}
    )
    tick()
    tick()
    assert not RenderedMessage.objects.exists()
    assert Delivery.objects.get() == row


@pytest.mark.django_db(transaction=True)
def test_a_month_that_somebody_reads_is_dropped_another_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("crm.models.partitions.LOCK_WAIT", "50ms")
    first = datetime(2001, 2, 1, tzinfo=UTC).date()
    ensure_partitions(TABLE, first=first, last=first)
    reader = connection.copy()
    with reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT FROM {TABLE}_y2001m02")
        assert forget_texts(now=NOW) == 0
        assert list_months() == ["y2001m02"]
        cursor.execute("ROLLBACK")
    reader.close()
    forget_texts(now=NOW)
    assert list_months() == []


def test_what_an_api_call_said_goes_when_its_message_ended_long_ago() -> None:
    campaign = make_campaign()
    kept = []
    for state, age in (
        ("sent", TEXT_LIFE + timedelta(hours=1)),
        ("sent", TEXT_LIFE - timedelta(hours=1)),
        ("pending", TEXT_LIFE + timedelta(hours=1)),
    ):
        row = make_delivery(campaign, make_contact(), state=state)
        ApiSend.objects.create(delivery=row, actor="api:x", created_at=NOW - age)
        kept.append(row.pk)
    assert forget_api_sends(now=NOW) == 1
    left = ApiSend.objects.values_list("pk", flat=True)
    assert set(left) == set(kept[1:])
