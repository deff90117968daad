"""Set up, look at and change one's own second factor; give its code at login."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, auth, messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from crm.admin.second_factor.forms import CodeForm, PasswordForm
from crm.second_factor.codes import space_secret
from crm.second_factor.door import complete_sign_in, find_half_signed_in, lacks_factor
from crm.second_factor.factors import (
    begin_setup,
    count_recovery_codes,
    find_factor,
    find_unfinished,
    finish_setup,
    prove_person,
    replace_recovery_codes,
    reset_factor,
)
from crm.second_factor.qr import draw_qr

HOME = "second_factor:home"


class StaffRequest(HttpRequest):
    """Behind the admin's door: somebody is signed in."""

    user: User


def describe_want(request: HttpRequest) -> dict[str, Any]:
    """unfold asks it for each page of the admin: whether to ask for a second factor."""
    person = request.user
    return {"wants_factor": person.is_authenticated and lacks_factor(person)}


def show_login(request: HttpRequest) -> HttpResponse:
    """The admin's own; whoever gave the password already owes only the code."""
    if request.method == "GET" and find_half_signed_in(request):
        asked = urlencode({"next": pick_next(request)})
        return redirect(f"{reverse('second_factor:verify')}?{asked}")
    return admin.site.login(request)


def show_lockout(request: HttpRequest, *_said_by_axes: Any) -> HttpResponse:
    """After too many wrong passwords, here or under the login's own form; the same for
    a name that does not exist."""
    return _render(request, "locked", "Wait a while", {}, status=429)


@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def show_verify(request: HttpRequest) -> HttpResponse:
    """The second step of a login."""
    person = find_half_signed_in(request)
    if person is None:
        return redirect("admin:index")
    form = CodeForm(request.POST or None)
    if form.is_valid():
        try:
            device = prove_person(person, form.cleaned_data["code"])
        except ValidationError as error:
            form.add_error("code", error)
        else:
            complete_sign_in(request, person, device)
            return redirect(pick_next(request))
    context = {"form": form, "person": person, "next": pick_next(request)}
    return _render(request, "verify", "Log in", context)


@require_POST
def post_leave(request: HttpRequest) -> HttpResponse:
    """Somebody else wants to log in."""
    auth.logout(request)
    return redirect("admin:login")


def show_home(request: StaffRequest, form: PasswordForm | None = None) -> HttpResponse:
    context = {
        "factor": find_factor(request.user),
        "codes_left": count_recovery_codes(request.user),
        "form": form or PasswordForm(request),
    }
    return _render(request, "home", "Second factor", context)


@sensitive_post_parameters("password")
@require_POST
def post_begin(request: StaffRequest) -> HttpResponse:
    form = PasswordForm(request, request.POST)
    if not form.is_valid():
        return show_home(request, form)
    begin_setup(request.user)
    return redirect("second_factor:set_up")


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
def show_setup(request: StaffRequest) -> HttpResponse:
    """The secret as a picture and as text, until a code proves that it arrived."""
    device = find_unfinished(request.user)
    if device is None:
        return redirect(HOME)
    form = CodeForm(request.POST or None)
    if form.is_valid():
        try:
            proved, codes = finish_setup(request.user, form.cleaned_data["code"])
        except ValidationError as error:
            form.add_error("code", error)
        else:
            complete_sign_in(request, request.user, proved)
            return _show_codes(request, codes)
    context = {
        "form": form,
        "qr": draw_qr(device.config_url),
        "secret": space_secret(device.bin_key),
    }
    return _render(request, "set_up", "Set up a second factor", context)


@sensitive_post_parameters("password")
@require_POST
def post_codes(request: StaffRequest) -> HttpResponse:
    form = PasswordForm(request, request.POST)
    if find_factor(request.user) is None:
        return redirect(HOME)
    if not form.is_valid():
        return show_home(request, form)
    return _show_codes(request, replace_recovery_codes(request.user, by=request.user))


@sensitive_post_parameters("password")
@require_POST
def post_remove(request: StaffRequest) -> HttpResponse:
    form = PasswordForm(request, request.POST)
    if not form.is_valid():
        return show_home(request, form)
    if reset_factor(request.user, by=request.user):
        messages.success(request, "Your second factor is removed.")
    return redirect(HOME)


def _show_codes(request: StaffRequest, codes: list[str]) -> HttpResponse:
    """On this answer only: no redirect, nothing that would be stored."""
    return _render(request, "codes", "Keep these codes", {"codes": codes})


def pick_next(request: HttpRequest) -> str:
    """Where they wanted to go, if it is a page of ours."""
    said = request.POST.get("next") or request.GET.get("next") or ""
    hosts = {request.get_host()}
    if url_has_allowed_host_and_scheme(said, hosts, require_https=request.is_secure()):
        return said
    return reverse("admin:index")


def _render(
    request: HttpRequest,
    page: str,
    title: str,
    context: dict[str, Any],
    status: int = 200,
) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": title, **context}
    template = f"crm/second_factor/{page}.html"
    return render(request, template, context, status=status)
