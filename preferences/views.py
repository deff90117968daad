"""The public pages: preference center and one-click unsubscribe.

GET and HEAD never change consent; every change is a POST, and safe to repeat.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from crm.ports.purposes import Use, purpose_providers
from preferences.colours import pick_ink
from preferences.consent import Choice, Result, record_choices
from preferences.csrf import protect_own_form
from preferences.forms import read_switch_choices
from preferences.grid import Grid, build_grid, read_grid
from preferences.models import Channel, PreferenceCenter
from preferences.tokens import (
    PageAccess,
    UnsubscribeAccess,
    is_guessing,
    read_page_token,
    read_unsubscribe_token,
)

COOKIE = "apropos_preferences"
COOKIE_LIFE_S = 2 * 3600
COOKIE_PATH = "/preferences/"
RETRY_AFTER_S = 3600


def secure_page(
    response: HttpResponse, *, nonce: str, ancestors: str = "'none'"
) -> HttpResponse:
    """Nothing foreign is loaded, nothing leaks by referrer, nothing is cached."""
    response["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self' 'nonce-{nonce}'; script-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; form-action 'self'; "
        f"base-uri 'none'; frame-ancestors {ancestors}"
    )
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def render_page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    nonce = secrets.token_urlsafe(16)
    response = render(
        request, f"preferences/{template}", {**context, "nonce": nonce}, status=status
    )
    return secure_page(response, nonce=nonce)


def refuse_link(request: HttpRequest) -> HttpResponse:
    """One answer for every link that does not hold, then 429 for guessers."""
    if is_guessing(request.META.get("REMOTE_ADDR", ""), at=timezone.now()):
        response = render_page(request, "slow_down.html", {}, status=429)
        response["Retry-After"] = str(RETRY_AFTER_S)
        return response
    return render_page(request, "unknown.html", {}, status=404)


def pick_locale(access: PageAccess | UnsubscribeAccess) -> str:
    """The contact's language where the center speaks it, else the center's first."""
    center, locale = access.center, access.contact.locale
    spoken = {locale, locale.partition("-")[0]} & set(center.locales)
    return locale if spoken else next(iter(center.locales), "en")


@require_safe
def open_preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Move the token from the address into a cookie, and go to a clean address."""
    if read_page_token(token) is None:
        return refuse_link(request)
    response = secure_page(redirect("preferences:page"), nonce="none")
    response.set_cookie(
        COOKIE,
        token,
        max_age=COOKIE_LIFE_S,
        path=COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


@protect_own_form
@require_http_methods(["GET", "HEAD", "POST"])
def show_preferences(request: HttpRequest) -> HttpResponse:
    token = request.COOKIES.get(COOKIE, "")
    access = read_page_token(token) if token else None
    if access is None:
        return refuse_link(request) if token else expired_page(request)
    locale = pick_locale(access)
    with translation.override(locale):
        if request.method == "POST":
            return save_preferences(request, access, locale)
        grid = read_grid(access.contact, access.center, locale=locale)
        context = build_context(access.center, grid, locale=locale)
        context["uses"] = list_uses(access.contact.pk)
        context["is_saved"] = "saved" in request.GET
        return render_page(request, "page.html", context)


def expired_page(request: HttpRequest) -> HttpResponse:
    """No cookie: the link was opened too long ago, or cookies are off."""
    return render_page(request, "unknown.html", {}, status=404)


def save_preferences(
    request: HttpRequest, access: PageAccess, locale: str
) -> HttpResponse:
    """A whole form, or one click by htmx: both carry every switch."""
    grid = read_grid(access.contact, access.center, locale=locale)
    posted = set(request.POST.getlist("on"))
    htmx = getattr(request, "htmx", None)
    choices = read_switch_choices(
        grid,
        shown=request.POST.get("shown", "").split(),
        posted=posted,
        touched=(htmx.trigger or "") if htmx else "",
    )
    result = record_own_choices(request, access, choices, source="page", locale=locale)
    if result.is_gone:
        return refuse_link(request)
    if not htmx:
        return secure_page(redirect(f"{request.path}?saved"), nonce="none")
    grid = read_grid(access.contact, access.center, locale=locale)
    context = build_context(access.center, grid, locale=locale)
    context["is_saved"] = True
    # Switches that stand otherwise than the page shows them.
    switches = grid.switches.values()
    context["turned"] = [s for s in switches if s.is_on != (s.name in posted)]
    return render_page(request, "_saved.html", context)


def record_own_choices(
    request: HttpRequest,
    access: PageAccess | UnsubscribeAccess,
    choices: list[Choice],
    *,
    source: str,
    locale: str,
) -> Result:
    return record_choices(
        access.contact,
        center=access.center,
        changes=choices,
        at=timezone.now(),
        actor="self",
        source=source,
        locale=locale,
        ip=request.META.get("REMOTE_ADDR", ""),
    )


def build_context(
    center: PreferenceCenter, grid: Grid, *, locale: str
) -> dict[str, Any]:
    fields = ("headline", "intro", "footer")
    return {
        "center": center,
        "texts": {name: center.text(name, locale) for name in fields},
        "grid": grid,
        "shown": " ".join(s.name for s in grid.switches.values() if s.is_on),
        "locale": locale,
        "accent": center.accent,
        "ink": pick_ink(center.accent),
    }


def list_uses(contact_id: int) -> list[Use]:
    return [use for p in purpose_providers() for use in p.uses(contact_id)]


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """RFC 8058: a POST ends it at once; a GET only asks. The token is the proof,
    so that a mail program can post without a session."""
    access = read_unsubscribe_token(token)
    if access is None:
        return refuse_link(request)
    locale = pick_locale(access)
    context = {
        "center": access.center,
        "channel_name": dict(Channel.choices).get(access.channel, ""),
        "topic": access.topic,
        "locale": locale,
        "accent": access.center.accent,
        "ink": pick_ink(access.center.accent),
    }
    with translation.override(locale):
        if request.method != "POST":
            return render_page(request, "unsubscribe.html", context)
        topic_key = access.topic.key if access.topic else ""
        choice = Choice(access.channel, topic_key, subscribed=False)
        record_own_choices(request, access, [choice], source="one-click", locale=locale)
        return render_page(request, "unsubscribe.html", {**context, "is_done": True})


@staff_member_required
@permission_required("preferences.view_preferencecenter", raise_exception=True)
@xframe_options_sameorigin
@require_http_methods(["GET", "POST"])
def preview_center(request: HttpRequest, pk: int) -> HttpResponse:
    """The page as a new contact would see it, with the texts in the editor.

    Nothing is saved and nothing in it can be.
    """
    center = get_object_or_404(PreferenceCenter.objects.select_related("brand"), pk=pk)
    topics = list(center.topics.shown())
    for name in ("headline", "intro", "master_label", "master_hint", "footer"):
        setattr(center, name, request.POST.get(name, getattr(center, name)))
    accent = request.POST.get("accent", center.accent)
    center.accent = accent if pick_ink(accent) else center.accent
    grid = build_grid(center, topics=topics, said={})
    context = {**build_context(center, grid, locale=""), "is_preview": True}
    nonce = secrets.token_urlsafe(16)
    body = render_to_string(
        "preferences/page.html", {**context, "nonce": nonce}, request=request
    )
    return secure_page(HttpResponse(body), nonce=nonce, ancestors="'self'")
