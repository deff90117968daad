"""A call that sends, asked twice under one key, has its effect once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from crm.api.idempotency import KeyReused, run_once
from crm.models import ApiKey, AuditEntry, IdempotentCall
from tests.notifications.api.test_campaigns import make_draft

ByKey = Callable[..., APIClient]


def launch(client: APIClient, pk: int, key: str) -> Any:
    return client.post(f"/api/campaigns/{pk}/launch/", headers={"Idempotency-Key": key})


@pytest.mark.django_db
def test_the_first_answer_is_given_again_and_nothing_more_is_done(
    by_key: ByKey,
) -> None:
    draft, client = make_draft(), by_key("send")
    first, again = (launch(client, draft.pk, "k1") for _ in range(2))

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert AuditEntry.objects.filter(action="launched").count() == 1
    # Without the key, or under another one, it is another call.
    assert launch(client, draft.pk, "k2").status_code == 409
    assert launch(client, draft.pk, "").status_code == 409


@pytest.mark.django_db
def test_a_key_belongs_to_one_call_of_one_caller(by_key: ByKey) -> None:
    draft, other, client = make_draft(), make_draft("Other"), by_key("send")
    launch(client, draft.pk, "k1")

    reused = launch(client, other.pk, "k1")
    assert (reused.status_code, reused.json()["code"]) == (
        409,
        "idempotency_key_reused",
    )
    assert launch(by_key("send"), other.pk, "k1").status_code == 200


@pytest.mark.django_db
def test_a_refusal_is_not_kept(by_key: ByKey) -> None:
    draft, client = make_draft(), by_key("send")
    type(draft).objects.filter(pk=draft.pk).update(state="cancelled")
    assert launch(client, draft.pk, "k1").status_code == 409

    type(draft).objects.filter(pk=draft.pk).update(state="draft")
    assert launch(client, draft.pk, "k1").status_code == 200


@pytest.mark.django_db
def test_after_a_day_the_key_is_free_again(by_key: ByKey) -> None:
    draft, client = make_draft(), by_key("send")
    launch(client, draft.pk, "k1")
    IdempotentCall.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert launch(client, draft.pk, "k1").status_code == 409

    assert IdempotentCall.objects.forget_old(now=timezone.now()) == 1
    assert not IdempotentCall.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["x" * 256, "tab\there"])
def test_what_is_no_key_is_refused(by_key: ByKey, key: str) -> None:
    answer = launch(by_key("send"), make_draft().pk, key)

    assert (answer.status_code, answer.json()["path"]) == (400, "Idempotency-Key")


def make_request(auth: ApiKey) -> Any:
    plain = APIRequestFactory().post("/x", {}, headers={"Idempotency-Key": "k"})
    request = APIView().initialize_request(plain)
    request.auth = auth
    return request


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_acts_and_the_other_waits_for_its_answer() -> None:
    auth, _ = ApiKey.issue(name="test", scopes=["send"])
    begun, acts, answers = threading.Event(), [], []

    def act() -> Response:
        begun.set()
        acts.append(1)
        threading.Event().wait(0.5)
        return Response({"done": len(acts)})

    def call() -> None:
        try:
            answers.append(run_once(make_request(auth), act).data)
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert begun.is_set()
    assert acts == [1]
    assert answers == [{"done": 1}] * 3


@pytest.mark.django_db
def test_what_fails_half_way_keeps_nothing() -> None:
    auth, _ = ApiKey.issue(name="test", scopes=["send"])

    def act() -> Response:
        raise KeyReused

    with pytest.raises(KeyReused):
        run_once(make_request(auth), act)
    assert not IdempotentCall.objects.exists()
