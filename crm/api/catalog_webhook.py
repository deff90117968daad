"""`POST /v1/catalogs/<slug>/webhook`: a CMS tells of its items; the signature is the
key (Standard Webhooks)."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from crm.api.catalogs import describe_saved
from crm.api.wire import ONLY_POST, answer, answer_fault, read_body
from crm.bell import ring_on_commit
from crm.catalog.signature import check_signature
from crm.catalog.webhook import receive_webhook
from crm.events.limits import BodyRefused, Fault
from crm.models import Catalog

# One answer for a wrong signature, an old call, a closed webhook and no catalog.
NOT_SIGNED = Fault("authentication_failed", "Not signed for this catalog, or too old.")


@csrf_exempt
def receive_call(request: HttpRequest, slug: str) -> HttpResponse:
    if request.method != "POST":
        return answer_fault(405, ONLY_POST)
    try:
        return _answer_call(request, slug)
    except BodyRefused as refused:
        return answer_fault(refused.status, refused.fault)


def _answer_call(request: HttpRequest, slug: str) -> HttpResponse:
    body, at = read_body(request), timezone.now()
    catalog = Catalog.objects.filter(slug=slug).first()
    secret = catalog.webhook_secret if catalog else ""
    headers = {name.lower(): value for name, value in request.headers.items()}
    message_id = check_signature(secret, headers, body, at=at)
    if catalog is None or not message_id:
        return answer_fault(401, NOT_SIGNED)
    received = receive_webhook(catalog, message_id, body, at=at)
    if received.saved.is_news:
        ring_on_commit(settings.CATALOG_BELL_TASK)
    told = {"duplicate": received.is_repeat, "archived": received.archived}
    return answer(200, {**told, **describe_saved(received.saved)})
