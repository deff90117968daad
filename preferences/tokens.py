"""Signed links: who may see and change whose preferences, without a login.

A token is a signed list of ids with its time; the signature's salt is its
purpose, so that a link of one kind never opens another. Each carries the
version of the contact's links: raising it revokes all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse

from crm.models import Contact
from crm.models.audit import record_audit
from preferences.ledger import truncate_address
from preferences.models import LinkGuess, PreferenceCenter, PreferenceLink, Topic

# Salts: one per kind of link.
OPEN_PAGE, UNSUBSCRIBE = "preferences.open-page", "preferences.unsubscribe"
# The longest token we ever make is far shorter; anything longer is not ours.
TOKEN_MAX_CHARS = 400


@dataclass(frozen=True, slots=True)
class PageAccess:
    """Whose page a valid link opens."""

    contact: Contact
    center: PreferenceCenter


@dataclass(frozen=True, slots=True)
class UnsubscribeAccess:
    """What a valid one-click link ends: '' and None mean all."""

    contact: Contact
    center: PreferenceCenter
    channel: str
    topic: Topic | None


def build_preference_url(
    contact: Contact, *, center: PreferenceCenter, site_url: str = ""
) -> str:
    """The absolute link to the contact's preference page. One query."""
    token = _sign([_pack(contact.uuid), center.pk, _version(contact)], OPEN_PAGE)
    return _join(site_url, reverse("preferences:open", args=[token]))


def build_unsubscribe_url(
    contact: Contact,
    *,
    center: PreferenceCenter,
    channel: str = "",
    topic: Topic | None = None,
    site_url: str = "",
) -> str:
    """The absolute link of RFC 8058, for one topic on one channel, or all."""
    facts: list[str | int] = [_pack(contact.uuid), center.pk, _version(contact)]
    token = _sign([*facts, channel, topic.pk if topic else 0], UNSUBSCRIBE)
    return _join(site_url, reverse("preferences:unsubscribe", args=[token]))


def read_page_token(token: str) -> PageAccess | None:
    """None for a forged, expired, revoked or unknown one: no telling which."""
    facts = _unsign(token, OPEN_PAGE, max_age_days=settings.PREFERENCE_LINK_DAYS)
    found = _find_people(facts, size=3)
    if found is None or found[0].canonical_id is not None:
        return None
    return PageAccess(*found)


def read_unsubscribe_token(token: str) -> UnsubscribeAccess | None:
    """As above; the link of a contact that was merged away ends for its heir."""
    facts = _unsign(token, UNSUBSCRIBE, max_age_days=settings.UNSUBSCRIBE_LINK_DAYS)
    found = _find_people(facts, size=5)
    if found is None or facts is None:
        return None
    contact, center = found
    heir = contact.canonical or contact
    topic_id = facts[4]
    topic = center.topics.filter(pk=topic_id).first() if topic_id else None
    if heir.erased_at is not None or (topic_id and topic is None):
        return None
    return UnsubscribeAccess(heir, center, str(facts[3]), topic)


@transaction.atomic
def revoke_links(contact: Contact, *, actor: object) -> int:
    """Every link made so far stops working; answers the new version."""
    version = PreferenceLink.objects.revoke(contact.pk)
    link = PreferenceLink.objects.get(contact=contact)
    record_audit(
        actor=actor, action="revoked links", on=link, changes={"version": version}
    )
    return version


def is_guessing(address: str, *, at: datetime) -> bool:
    """Count a wrong token; True once this network tried too many this hour.

    Valid tokens are never counted and never refused: withdrawing is never
    throttled.
    """
    network = truncate_address(address) or "unknown"
    count = LinkGuess.objects.count_guess(network, at=at)
    return count > settings.PREFERENCE_GUESSES_PER_HOUR


def _version(contact: Contact) -> int:
    return PreferenceLink.objects.version_of(contact.pk)


def _join(site_url: str, path: str) -> str:
    return (site_url or settings.SITE_URL).rstrip("/") + path


def _pack(value: UUID) -> str:
    return signing.b64_encode(value.bytes).decode()


def _sign(facts: list[str | int], purpose: str) -> str:
    return signing.TimestampSigner(salt=purpose, sep=".").sign_object(facts)


def _unsign(token: str, purpose: str, *, max_age_days: int) -> list[str | int] | None:
    if len(token) > TOKEN_MAX_CHARS:
        return None
    signer = signing.TimestampSigner(salt=purpose, sep=".")
    try:
        facts = signer.unsign_object(token, max_age=timedelta(days=max_age_days))
    except signing.BadSignature:
        return None
    return facts if isinstance(facts, list) else None


def _find_people(
    facts: list[str | int] | None, *, size: int
) -> tuple[Contact, PreferenceCenter] | None:
    """The contact and published center that these signed facts name."""
    if facts is None or len(facts) != size:
        return None
    uuid = UUID(bytes=signing.b64_decode(str(facts[0]).encode()))
    contacts = Contact.objects.select_related("canonical", "preference_link")
    contact = contacts.filter(uuid=uuid, erased_at=None).first()
    centers = PreferenceCenter.objects.published().select_related("brand")
    center = centers.filter(pk=int(facts[1])).first()
    if contact is None or center is None:
        return None
    link = getattr(contact, "preference_link", None)
    if facts[2] != (link.version if link else 0):
        return None
    return contact, center
