"""Who is one person does not depend on the order in which we hear of it.

The oracle is a union-find over the ids that calls name together. It holds where each
anonymous id is claimed by one person only; who was first decides the rest, below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.events.identity import ANONYMOUS, EXTERNAL, Key
from crm.events.merge import merge_contacts
from crm.events.schema import Item
from crm.models import Contact, Event, Identifier, PendingEvent
from crm.profiles import find_contact
from tests.crm.events.calls import record, run_together, say

pytestmark = pytest.mark.django_db
PEOPLE = ("ann", "bob", "cem")
# Two external and two anonymous ids each.
EXTERNALS = ("{}", "{}-old")
VISITORS = ("{}-web", "{}-app")
Group = frozenset[Key]


@st.composite
def draw_calls(draw: st.DrawFn) -> list[Item]:
    """Calls of three people, each with its own time and message id."""
    calls = []
    for number in range(draw(st.integers(2, 14))):
        person = draw(st.sampled_from(PEOPLE))
        user, visitor = (
            draw(st.sampled_from(ids)).format(person) for ids in (EXTERNALS, VISITORS)
        )
        shape = draw(st.sampled_from(["identify", "user", "visitor", "both", "alias"]))
        calls.append(make_call(shape, person, user, visitor, number, draw))
    return calls + join_old_ids(calls)


def join_old_ids(calls: Sequence[Item]) -> list[Item]:
    """Whoever speaks under the old id says once whose it is: else the two ids would
    be two people who claim the same visitors."""
    old = sorted({call.user_id for call in calls if call.user_id.endswith("-old")})
    return [
        say("alias", user_id=user[:-4], previous_id=user, message_id=f"alias {user}")
        for user in old
    ]


def make_call(
    shape: str, person: str, user: str, visitor: str, number: int, draw: Any
) -> Item:
    said: dict[str, Any] = {"message_id": f"m{number}", "at": number}
    if shape == "alias":
        before = draw(st.sampled_from([f"{person}-old", visitor]))
        return say("alias", user_id=person, previous_id=before, **said)
    if shape == "identify":
        said["traits"] = {draw(st.sampled_from("ab")): number}
        return say("identify", user_id=user, anonymous_id=visitor, **said)
    user_id = "" if shape == "visitor" else user
    anonymous_id = "" if shape == "user" else visitor
    return say(user_id=user_id, anonymous_id=anonymous_id, **said)


def unite(calls: Iterable[Item], merges: Iterable[tuple[str, str]]) -> set[Group]:
    """Ids that belong to one person, by what the calls say together."""
    groups: list[set[Key]] = []
    links = [name_keys(call) for call in calls]
    links += [{(EXTERNAL, one), (EXTERNAL, other)} for one, other in merges]
    for link in links:
        joined = [group for group in groups if group & link]
        groups = [group for group in groups if not group & link]
        groups.append(link.union(*joined))
    return {frozenset(group) for group in groups}


def name_keys(call: Item) -> set[Key]:
    keys = {(EXTERNAL, call.user_id), (ANONYMOUS, call.anonymous_id)}
    if call.previous_id:
        keys |= {(EXTERNAL, call.previous_id), (ANONYMOUS, call.previous_id)}
    return {key for key in keys if key[1]}


def read_groups() -> dict[Group, int]:
    """What the database says: the ids of each person, and who that is."""
    groups: dict[int, set[Key]] = {}
    for row in Identifier.objects.all():
        groups.setdefault(row.contact_id, set()).add((row.kind, row.value))
    return {frozenset(group): pk for pk, group in groups.items()}


def check_people(calls: Sequence[Item], merges: Iterable[tuple[str, str]] = ()) -> None:
    """Ids, events, traits and pending rows are where the oracle puts them."""
    found = read_groups()
    assert set(found) == unite(calls, merges)
    assert set(found.values()) == set(
        Contact.objects.canonical().values_list("pk", flat=True)
    )
    home = {key: pk for group, pk in found.items() for key in group}
    owners = {call.message_id: home[min(name_keys(call))] for call in calls}
    events = Counter(owners[call.message_id] for call in calls if call.name)
    assert Counter(Event.objects.values_list("contact", flat=True)) == events
    pending = Counter(owners.values())
    assert Counter(PendingEvent.objects.values_list("contact", flat=True)) == pending
    traits: dict[int, dict[str, Any]] = {pk: {} for pk in found.values()}
    for call in sorted(calls, key=lambda call: call.occurred_at):
        traits[owners[call.message_id]].update(call.traits)
    assert dict(Contact.objects.canonical().values_list("pk", "traits")) == traits


def split(calls: Sequence[Item], sizes: Iterable[int]) -> list[Sequence[Item]]:
    batches, rest = [], list(calls)
    for size in sizes:
        batches.append(rest[:size])
        rest = rest[size:]
    return [batch for batch in [*batches, rest] if batch]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(calls=draw_calls(), data=st.data())
def test_any_order_ends_with_the_same_people(calls: list[Item], data: Any) -> None:
    repeats = data.draw(st.lists(st.sampled_from(calls), max_size=4))
    order = data.draw(st.permutations(calls + repeats))
    sizes = data.draw(st.lists(st.integers(1, 5), max_size=6))
    known = [f"{name}{end}" for name in PEOPLE for end in ("", "-old")]
    pairs = st.tuples(st.sampled_from(known), st.sampled_from(known))
    merges = data.draw(st.lists(pairs, max_size=2))
    with transaction.atomic():
        for batch in split(order, sizes):
            record(*batch)
        check_people(calls, [pair for pair in merges if merge_people(*pair)])
        transaction.set_rollback(True)


def merge_people(one: str, other: str) -> bool:
    """As staff would; answers False where either is nobody, or they are one."""
    source, target = find_contact(one), find_contact(other)
    if source is None or target is None or source == target:
        return False
    merge_contacts(source_id=source.pk, target_id=target.pk, actor="test")
    return True


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", range(3))
def test_batches_side_by_side_end_with_the_same_people(turn: int) -> None:
    calls = [
        call
        for number, person in enumerate(PEOPLE)
        for call in make_story(person, first=number * 10)
    ]
    orders = [calls[n:] + calls[:n] for n in range(turn, len(calls), 6)]
    orders += [order[::-1] for order in orders]
    batches = [batch for order in orders for batch in split(order, [5, 1, 7, 3])]
    run_together([partial(record, *batch) for batch in batches])
    check_people(calls)
    assert Contact.objects.canonical().count() == 3


def make_story(person: str, *, first: int) -> list[Item]:
    """All ids of a person, linked in each way there is."""
    ids = {"web": f"{person}-web", "app": f"{person}-app", "old": f"{person}-old"}
    calls = [
        say(anonymous_id=ids["web"]),
        say("identify", user_id=ids["old"], anonymous_id=ids["web"], traits={"a": 1}),
        say(user_id=ids["old"]),
        say("alias", user_id=person, previous_id=ids["old"]),
        say(user_id=person, anonymous_id=ids["app"]),
        say("identify", user_id=person, traits={"a": 2}),
    ]
    return [
        say(
            call.kind,
            user_id=call.user_id,
            anonymous_id=call.anonymous_id,
            previous_id=call.previous_id,
            traits=call.traits,
            message_id=f"m{first + n}",
            at=first + n,
        )
        for n, call in enumerate(calls)
    ]


@pytest.mark.parametrize("first", ["ann", "bob"])
def test_a_device_of_two_people_stays_with_who_was_first(first: str) -> None:
    second = "bob" if first == "ann" else "ann"
    for person in (first, second):
        record(say("identify", user_id=person, anonymous_id="shared"))
    assert set(read_groups()) == {
        frozenset({(EXTERNAL, first), (ANONYMOUS, "shared")}),
        frozenset({(EXTERNAL, second)}),
    }
