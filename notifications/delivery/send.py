"""Send: one batch from claim to finish, and the loop around it.

1. Claim due rows of one sender (claim.py).
2. Route and render them outside any transaction (route.py, messages.py).
3. Pass the gate (gate.py): its commit is the point of no return.
4. POST what the gate allowed; no transaction is open meanwhile.
5. Finish in small groups as answers come (finish.py).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable

from django.conf import settings

from crm.clock import read_clock
from notifications.channels.base import ChannelConfigError, PushChannel
from notifications.channels.registry import SenderFacts, open_push_channel
from notifications.delivery.breaker import (
    is_half_open,
    note_answers,
    open_breaker,
    release_probe,
    take_probe,
)
from notifications.delivery.claim import (
    Claim,
    claim_deliveries,
    give_back,
    list_open_senders,
    take_tokens,
)
from notifications.delivery.finish import Answer, finish_deliveries
from notifications.delivery.gate import Post, pass_gate
from notifications.delivery.messages import render_deliveries
from notifications.delivery.route import route_deliveries
from notifications.models import Sender

# Deliveries written together when answers come in.
FINISH_GROUP = 20
# A batch must end well inside its lease.
POST_DEADLINE_S = 30.0

OpenChannel = Callable[[Sender], PushChannel]


def open_channel(sender: Sender) -> PushChannel:
    """The channel of a sender, made anew when its credentials change.

    Raises ChannelConfigError for a sender that must not be used.
    """
    raw = sender.credentials
    try:
        credentials = json.loads(raw) if raw else {}
    except json.JSONDecodeError as error:
        raise ChannelConfigError(f"credentials are not JSON: {error.msg}") from error
    version = hashlib.sha256(raw.encode()).hexdigest()[:16]
    return open_push_channel(
        SenderFacts(str(sender.pk), sender.kind, version, credentials)
    )


def send_due(*, budget_s: float, open_one: OpenChannel = open_channel) -> int:
    """Send until nothing is due or the budget is spent; answers rows worked on."""
    ends = time.monotonic() + budget_s
    worked = 0
    while True:
        before = worked
        for sender in list_open_senders():
            try:
                channel = open_one(sender)
            except ChannelConfigError as error:
                open_breaker(sender, platform="", reason=str(error))
                continue
            worked += send_batch(sender, channel)
            if time.monotonic() >= ends:
                return worked
        if worked == before:
            return worked


def send_batch(sender: Sender, channel: PushChannel) -> int:
    """One batch of one sender, claim to finish; answers how many rows it took."""
    half_open = is_half_open(sender)
    limit = 1 if half_open else settings.DELIVERY_BATCH
    claim = claim_deliveries(sender, limit=limit)
    if not claim.deliveries:
        return 0
    granted = _keep_to_rate(claim)
    if granted.deliveries and half_open and not take_probe(sender):
        granted = give_back(granted, keep=0)
    if not granted.deliveries:
        return 0
    routes = route_deliveries(granted.deliveries, sender=sender)
    texts = render_deliveries(
        granted.deliveries, routes, sender=sender, at=read_clock()
    )
    posts = pass_gate(granted, routes, texts)
    if half_open and not posts:
        release_probe(sender)
    post_messages(posts, channel, claim=granted, probe=half_open)
    return len(granted.deliveries)


def post_messages(
    posts: list[Post], channel: PushChannel, *, claim: Claim, probe: bool = False
) -> None:
    """POST each message once and write the answers as they come."""
    if not posts:
        return
    missing = Counter(post.delivery.pk for post in posts)
    waiting: dict[object, list[Answer]] = defaultdict(list)
    ready: list[Answer] = []
    answers: list[Answer] = []
    pushes = [post.push for post in posts]
    try:
        for index, result in channel.send(pushes, deadline_s=POST_DEADLINE_S):
            answer = Answer(posts[index], result)
            answers.append(answer)
            key = answer.post.delivery.pk
            waiting[key].append(answer)
            missing[key] -= 1
            if not missing[key]:
                ready += waiting.pop(key)
            if len(ready) >= FINISH_GROUP:
                finish_deliveries(ready, lease=claim.lease)
                ready = []
    finally:
        # Also where the channel broke or our time was over: what was answered is
        # known, and must not end as unknown.
        finish_deliveries(ready, lease=claim.lease)
    note_answers(claim.sender, answers, probe=probe)


def _keep_to_rate(claim: Claim) -> Claim:
    """Give back what the sender's rate does not allow now."""
    wanted = len(claim.deliveries)
    granted = take_tokens(claim.sender, wanted=wanted)
    return claim if granted >= wanted else give_back(claim, keep=granted)
