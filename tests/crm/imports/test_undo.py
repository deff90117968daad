"""An undo takes back what nobody built on, and says what it left and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crm.events.ingest import record_events
from crm.events.merge import merge_contacts
from crm.imports.jobs import ImportRefused, forget_imports, start_undo
from crm.models import Contact, Event, ImportJob, MessageKey, PendingEvent, Product
from crm.privacy import erase_contact
from crm.profiles import make_identify
from segments.membership import touch_contacts
from segments.models import Membership
from tests.crm.imports.files import (
    SENT,
    count_rows,
    finish_job,
    make_csv,
    run_file,
)
from tests.factories import make_contact, make_device, make_event, make_product

pytestmark = pytest.mark.django_db
LATER = SENT + timedelta(hours=1)


def undo(job: ImportJob) -> dict[str, Any]:
    done = finish_job(start_undo(job, actor="ada", at=LATER))
    assert done.state == ImportJob.State.UNDONE
    return done.undone


def say(name: str, **traits: Any) -> None:
    item = make_identify(traits, LATER, user_id=name)
    record_events([item], received_at=LATER, source="api")


def test_who_was_made_goes_and_who_was_changed_goes_back() -> None:
    say_at = SENT - timedelta(days=1)
    item = make_identify({"plan": "free", "email": "a@x.io"}, say_at, user_id="u1")
    record_events([item], received_at=say_at, source="api")
    before = Contact.objects.get()
    job = run_file(
        make_csv("id,email,plan,city", "u1,b@x.io,pro,Rome", "u2,c@x.io,pro,Bonn")
    )
    PendingEvent.objects.all().delete()
    assert undo(job) == {"contacts put back": 1, "contacts removed": 1}
    after = Contact.objects.get()
    assert (after.traits, after.traits_at) == (before.traits, before.traits_at)
    assert after.email == "a@x.io"
    keys = after.identifiers.order_by("kind").values_list("value", flat=True)
    assert list(keys) == ["a@x.io", "u1"]
    # Their segments are judged once more.
    assert PendingEvent.objects.filter(contact=after, name="$identify").count() == 1


def test_a_newer_word_stays_and_so_does_whoever_something_came_to() -> None:
    run_file(make_csv("id,plan", "known,free"), at=SENT - timedelta(days=1))
    names = ["quiet", "told", "acted", "phoned", "merged", "erased"]
    job = run_file(make_csv("id,plan", "known,pro", *(f"{n},pro" for n in names)))
    people = {c.external_id: c for c in Contact.objects.all()}
    say("known", plan="team")
    say("told", city="Rome")
    make_event(people["acted"])
    make_device(people["phoned"])
    merge_contacts(
        source_id=people["merged"].pk, target_id=make_contact("other").pk, actor="rule"
    )
    erase_contact(people["erased"], actor="ada")
    assert undo(job) == {
        "traits with a newer word, kept": 1,
        "contacts kept: told more since": 1,
        "contacts kept: have events": 1,
        "contacts kept: have devices": 1,
        "contacts kept: have merges": 1,
        "contacts removed": 1,
    }
    left = set(Contact.objects.canonical().values_list("external_id", flat=True))
    assert left == {"known", "told", "acted", "phoned", "other"}
    assert Contact.objects.get(external_id="known").traits == {"plan": "team"}


def test_being_in_a_segment_keeps_nobody() -> None:
    from segments.editing import save_segment
    from segments.membership import refresh_segment

    leaf = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}
    segment = save_segment(name="Pro", rule={"version": 1, "root": leaf}, actor="ada")
    refresh_segment(segment, at=LATER)
    job = run_file(make_csv("id,plan", "u1,pro"))
    touch_contacts(set(Contact.objects.values_list("pk", flat=True)), at=LATER)
    assert Membership.objects.count() == 1
    assert undo(job) == {"contacts removed": 1}
    assert not Membership.objects.exists()


def test_events_go_with_their_ids_so_that_the_file_may_come_again() -> None:
    content = make_csv(
        "user_id,event,time", "u1,A,2026-03-01", "u1,B,2026-03-02", "u2,A,2026-03-01"
    )
    keeper = make_contact("u2")
    mine = make_event(keeper, "Mine", occurred_at=SENT)
    told = make_event(keeper, "Price Dropped", occurred_at=LATER, source="catalog")
    job = run_file(content, "events")
    assert undo(job) == {"events removed": 3, "contacts removed": 1}
    assert set(Event.objects.values_list("pk", flat=True)) == {mine.pk, told.pk}
    assert not MessageKey.objects.exists()
    keeper.refresh_from_db()
    assert keeper.last_active_at == SENT
    assert count_rows(run_file(content, "events")) == (3, 0, 0, 0)


def test_items_go_back_unless_somebody_changed_them() -> None:
    make_product("a", name="A", stock=1)
    make_product("b", name="B", stock=1)
    job = run_file(make_csv("code,name,stock", "a,,2", "b,,2", "c,C,2"), "items")
    Product.objects.filter(code="b").update(stock=9)
    assert undo(job) == {
        "items put back": 1,
        "items changed since, kept": 1,
        "items taken off the shelf": 1,
    }
    stocks = dict(Product.objects.live().values_list("code", "stock"))
    assert stocks == {"a": 1, "b": 9}


def test_after_thirty_days_the_file_is_forgotten_and_an_undo_is_refused() -> None:
    job = run_file(make_csv("id,plan", "u1,pro", ",x"))
    late = SENT + timedelta(days=31)
    assert forget_imports(now=SENT + timedelta(days=29)) == 0
    assert forget_imports(now=late) == 1
    assert forget_imports(now=late) == 0
    left = [rows.count() for rows in (job.parts, job.problems, job.touches)]
    assert left == [0, 0, 0]
    with pytest.raises(ImportRefused, match="too late"):
        start_undo(job, actor="ada", at=late)
    assert Contact.objects.count() == 1


def test_an_undo_is_done_once() -> None:
    job = run_file(make_csv("id,plan", "u1,pro"))
    undo(job)
    with pytest.raises(ImportRefused, match="undone"):
        start_undo(job, actor="ada", at=LATER)
