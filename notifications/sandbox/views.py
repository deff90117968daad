"""The phone screen: a page of the web app that reads the sandbox's log.

It changes nothing itself: taps go to the signed endpoint that real devices use.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from notifications.sandbox.log import find_end, read_newest
from notifications.sandbox.replies import SUFFIXES
from notifications.sandbox.screen import PhoneCard, stack_cards

CARDS_SHOWN = 30
# How far back the list of devices looks.
DEVICES_READ = 200

View = Callable[[HttpRequest], HttpResponseBase]


def sandbox_only(view: View) -> View:
    """404 where the sandbox is off; staff only where DEBUG is off."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponseBase:
        if not settings.SANDBOX:
            raise Http404("The sandbox is off here.")
        if not settings.DEBUG and not request.user.is_staff:
            return redirect_to_login(request.get_full_path())
        return view(request)

    return guarded


@require_GET
@never_cache
@sandbox_only
def show_phone(request: HttpRequest) -> HttpResponse:
    address = request.GET.get("device", "")
    # Before the read: what arrives meanwhile is shown twice rather than never.
    position = find_end(settings.SANDBOX_LOG)
    recent = stack_cards(read_newest(settings.SANDBOX_LOG, limit=DEVICES_READ))
    context = _describe_cards(address, position) | {
        "devices": list(dict.fromkeys(card.address for card in recent)),
        "done": request.GET.get("done", ""),
        "opened_link": request.GET.get("link", ""),
        "suffixes": SUFFIXES,
    }
    return render(request, "sandbox/phone.html", context)


@require_GET
@never_cache
@sandbox_only
def list_cards(request: HttpRequest) -> HttpResponse:
    """Cards that arrived after a position; 204 while there are none."""
    position = find_end(settings.SANDBOX_LOG)
    after = _read_position(request.GET.get("after", ""), position)
    context = _describe_cards(request.GET.get("device", ""), position, after)
    if not context["cards"] and after == position:
        return HttpResponse(status=204)
    return render(request, "sandbox/_cards.html", context)


def _describe_cards(address: str, position: int, after: int = 0) -> dict[str, object]:
    entries = read_newest(
        settings.SANDBOX_LOG, limit=CARDS_SHOWN, after=after, address=address
    )
    cards: list[PhoneCard] = stack_cards(entries)
    return {
        "cards": cards,
        "address": address,
        "query": urlencode({"after": position, "device": address}),
        "back": f"?{urlencode({'device': address})}",
    }


def _read_position(text: str, end: int) -> int:
    """A position of this log; its start when the log was made anew since."""
    after = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else end
    return after if after <= end else 0
