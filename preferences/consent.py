"""Every change of consent: ledger and projection in one transaction.

The ledger is the trail of these deeds: who, what, when, by which wording. All
functions lock the contact rows, so that a change is before or after a gate,
never beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from crm.models import Contact, PendingEvent
from crm.models.ids import make_uuid7
from preferences import levels
from preferences.ledger import (
    CLEARED,
    Fault,
    Line,
    Word,
    find_faults,
    fold_lines,
    hash_line,
    truncate_address,
)
from preferences.models import ConsentRecord, PreferenceCenter, Subscription, Topic

# The name of the pending row that a change leaves for segments.
CONSENT_CHANGED = "$consent"


@dataclass(frozen=True, slots=True)
class Choice:
    """One switch: '' as channel means all, '' as topic key means no topic."""

    channel: str = ""
    topic_key: str = ""
    subscribed: bool = True


@dataclass(frozen=True, slots=True)
class Evidence:
    """When, by whom, by which road and wording a person said it."""

    at: datetime
    actor: str
    source: str
    wording_version: int = 0
    locale: str = ""
    ip: str = ""
    proof: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one contact said. A late one (`is_dated`) yields to newer words."""

    contact_id: int
    changes: Sequence[Choice]
    evidence: Evidence
    is_dated: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """Ledger rows written, oldest first; none where nothing changed.

    `is_gone`: merged away or erased before the lock, nothing was written.
    """

    records: tuple[ConsentRecord, ...] = ()
    is_gone: bool = False


class UnknownTopicError(LookupError):
    """The center has no topic with this key."""


def record_choices(
    contact: Contact,
    *,
    center: PreferenceCenter,
    changes: Sequence[Choice],
    at: datetime,
    actor: str,
    source: str,
    wording_version: int | None = None,
    locale: str = "",
    ip: str = "",
    proof: str = "",
) -> Result:
    """Record what one contact chose; repeats change nothing and write nothing.

    Raises UnknownTopicError before anything is written.
    """
    version = center.wording_version if wording_version is None else wording_version
    evidence = Evidence(at, actor, source, version, locale, ip, proof)
    statement = Statement(contact.pk, changes, evidence)
    return record_statements([statement], center=center)[contact.pk]


@transaction.atomic
def record_statements(
    statements: Sequence[Statement], *, center: PreferenceCenter
) -> dict[int, Result]:
    """The same for many contacts, in a fixed number of queries.

    1. Lock the contacts in id order. 2. Read what stands and the chains' ends.
    3. Append what changes something. 4. Bring the projection up to it.
    """
    ids = sorted({statement.contact_id for statement in statements})
    locked = Contact.objects.lock_in_order(ids)
    alive = {c.pk: c for c in locked if c.canonical_id is None and c.erased_at is None}
    topics = {topic.key: topic for topic in center.topics.all()}
    chains = _open_chains(alive.values())
    for row in Subscription.objects.of_contacts(alive).in_center(center.pk):
        chains[row.contact_id].said[row.level] = Word(row.state, row.changed_at)
    for statement in statements:
        if statement.contact_id in alive:
            chain = chains[statement.contact_id]
            _append_changes(chain, statement, center=center, topics=topics)
    _save_chains(chains.values(), center=center)
    return {
        pk: Result(tuple(chains[pk].records)) if pk in alive else Result(is_gone=True)
        for pk in ids
    }


@dataclass(slots=True)
class _Chain:
    """A contact's ledger while it is being written; the contact is locked."""

    contact: Contact
    number: int = 0
    hash: str = ""
    said: dict[levels.Level, Word] = field(default_factory=dict)
    records: list[ConsentRecord] = field(default_factory=list)

    def append(self, line: Line) -> None:
        self.number += 1
        line = replace(line, number=self.number, previous_hash=self.hash)
        self.hash = hash_line(line)
        self.records.append(_build_record(line, self.hash))


def _open_chains(contacts: Iterable[Contact]) -> dict[int, _Chain]:
    contacts = list(contacts)
    heads = {
        row.contact_uuid: row
        for row in ConsentRecord.objects.heads(c.uuid for c in contacts)
    }
    chains = {contact.pk: _Chain(contact) for contact in contacts}
    for chain in chains.values():
        head = heads.get(chain.contact.uuid)
        if head is not None:
            chain.number, chain.hash = head.number, head.hash
    return chains


def _append_changes(
    chain: _Chain,
    statement: Statement,
    *,
    center: PreferenceCenter,
    topics: dict[str, Topic],
) -> None:
    evidence = statement.evidence
    for choice in statement.changes:
        topic = _find_topic(topics, choice.topic_key)
        level = choice.channel, topic.pk if topic else None
        state = levels.SUBSCRIBED if choice.subscribed else levels.UNSUBSCRIBED
        standing = chain.said.get(level)
        if standing is not None and standing.state == state:
            continue
        if standing is not None and statement.is_dated and evidence.at < standing.at:
            continue
        purpose = topic.purpose if topic else "promotional"
        chain.said[level] = Word(state, evidence.at)
        chain.append(
            _build_line(
                chain.contact,
                evidence,
                state,
                level,
                center_id=center.pk,
                purpose=purpose,
            )
        )


def _find_topic(topics: dict[str, Topic], key: str) -> Topic | None:
    if key and key not in topics:
        raise UnknownTopicError(key)
    return topics[key] if key else None


def _build_line(
    contact: Contact,
    evidence: Evidence,
    action: str,
    level: levels.Level,
    *,
    center_id: int | None,
    purpose: str,
) -> Line:
    return Line(
        contact_uuid=str(contact.uuid),
        number=0,
        center_id=center_id,
        channel=level[0],
        topic_id=level[1],
        purpose=purpose,
        action=action,
        at=evidence.at,
        actor=evidence.actor[:100],
        source=evidence.source[:100],
        wording_version=evidence.wording_version,
        locale=evidence.locale[:35],
        address=truncate_address(evidence.ip),
        proof=evidence.proof[:100],
        previous_hash="",
    )


def _build_record(line: Line, digest: str) -> ConsentRecord:
    facts = {name: getattr(line, name) for name in Line.__slots__}
    facts["contact_uuid"] = UUID(line.contact_uuid)
    return ConsentRecord(**facts, hash=digest)


def _save_chains(chains: Iterable[_Chain], *, center: PreferenceCenter) -> None:
    written = [chain for chain in chains if chain.records]
    if not written:
        return
    ConsentRecord.objects.bulk_create(
        [record for chain in written for record in chain.records], batch_size=2000
    )
    changed = {
        (chain.contact.pk, record.line.level): Subscription(
            contact=chain.contact,
            center=center,
            channel=record.channel,
            topic_id=record.topic_id,
            state=record.action,
            changed_at=record.at,
        )
        for chain in written
        for record in chain.records
    }
    leave_pending(written)
    Subscription.objects.bulk_create(
        changed.values(),
        batch_size=2000,
        update_conflicts=True,
        unique_fields=["contact", "center", "channel", "topic"],
        update_fields=["state", "changed_at"],
    )


def leave_pending(chains: Iterable[_Chain]) -> None:
    """One row per contact, so that segments that ask for consent look again."""
    PendingEvent.objects.bulk_create(
        PendingEvent(
            event_id=make_uuid7(),
            occurred_at=chain.records[-1].at,
            contact=chain.contact,
            name=CONSENT_CHANGED,
        )
        for chain in chains
    )


@transaction.atomic
def clear_choices(contact: Contact, *, evidence: Evidence) -> int:
    """End all choices of a contact that was merged away or erased.

    One `cleared` row, so that the ledger still folds to the projection.
    Answers how many rows of the projection went.
    """
    [locked] = Contact.objects.lock_in_order([contact.pk])
    chain = _open_chains([locked])[locked.pk]
    gone, _ = Subscription.objects.of_contacts([locked.pk]).delete()
    if gone or chain.number:
        chain.append(
            _build_line(
                locked, evidence, CLEARED, levels.MASTER, center_id=None, purpose="all"
            )
        )
        ConsentRecord.objects.bulk_create(chain.records)
    return gone


@transaction.atomic
def replace_choices(
    contact: Contact,
    words: Mapping[tuple[int, levels.Level], str],
    *,
    evidence: Evidence,
) -> None:
    """End all choices of a contact and let these stand: center and level → state."""
    clear_choices(contact, evidence=evidence)
    topics = Topic.objects.in_bulk({level[1] for _, level in words if level[1]})
    centers = PreferenceCenter.objects.in_bulk({center for center, _ in words})
    for center in centers.values():
        chain = _open_chains([contact])[contact.pk]
        for (center_id, level), state in words.items():
            if center_id == center.pk:
                topic = topics.get(level[1] or 0)
                chain.append(
                    _build_line(
                        contact,
                        evidence,
                        state,
                        level,
                        center_id=center.pk,
                        purpose=topic.purpose if topic else "promotional",
                    )
                )
        _save_chains([chain], center=center)


@transaction.atomic
def merge_choices(source: Contact, target: Contact, *, at: datetime) -> int:
    """Carry the source's words to the target; where both spoke, the strictest.

    The source's own ledger stays and ends with `cleared`. Answers how many
    words the target took over.
    """
    locked = Contact.objects.lock_in_order([source.pk, target.pk])
    people = {contact.pk: contact for contact in locked}
    chain = _open_chains([people[target.pk]])[target.pk]
    subscriptions = Subscription.objects.select_related("topic", "center")
    standing = subscriptions.of_contacts([target.pk]).as_projection()
    evidence = Evidence(at, "rule", "merge", proof=f"contact:{source.uuid}")
    taken = 0
    for row in subscriptions.of_contacts([source.pk]):
        word = standing.get((row.center_id, row.level))
        state = levels.pick_strictest(row.state, word.state if word else None)
        if state is None or (word is not None and word.state == state):
            continue
        purpose = row.topic.purpose if row.topic else "promotional"
        fresh = _Chain(chain.contact, chain.number, chain.hash)
        fresh.append(
            _build_line(
                chain.contact,
                evidence,
                state,
                row.level,
                center_id=row.center_id,
                purpose=purpose,
            )
        )
        _save_chains([fresh], center=row.center)
        chain, taken = fresh, taken + 1
    clear_choices(source, evidence=replace(evidence, proof=f"contact:{target.uuid}"))
    return taken


@transaction.atomic
def rebuild_projection(contact: Contact) -> int:
    """Write the projection anew from the ledger; answers how many rows stand."""
    Contact.objects.lock_in_order([contact.pk])
    rows = ConsentRecord.objects.of_person([contact.uuid])
    standing = fold_lines(row.line for row in rows)
    Subscription.objects.of_contacts([contact.pk]).delete()
    Subscription.objects.bulk_create(
        Subscription(
            contact=contact,
            center_id=center_id,
            channel=channel,
            topic_id=topic_id,
            state=word.state,
            changed_at=word.at,
        )
        for (center_id, (channel, topic_id)), word in standing.items()
    )
    return len(standing)


def verify_ledger(contact: Contact) -> list[Fault]:
    """Tampered, missing or inserted rows by number; empty where all fits.

    A chain cut at its end shows as a projection that says more than the ledger.
    """
    rows = list(ConsentRecord.objects.of_person([contact.uuid]))
    faults = find_faults((row.line, row.hash) for row in rows)
    standing = fold_lines(row.line for row in rows)
    if Subscription.objects.of_contacts([contact.pk]).as_projection() != standing:
        faults.append(Fault(0, "the projection differs from the ledger"))
    return faults
