"""Merge two contacts by hand: choose the other, see what moves, confirm."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from crm.admin.merge import MAX_REASON, RIGHT
from crm.bell import ring_on_commit
from crm.events.merge import MergeRefused, count_moving, merge_contacts
from crm.models import Contact

FOUND = 12


def show_merge(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """`?q=` searches, `?other=` previews, `?swap=1` lets the other one stay."""
    here = find_person(request, pk)
    other = pick_contact(request.GET.get("other", ""))
    if other == here:
        other = None
    said = request.GET.get("q", "")
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": f"Merge {here.display_name}",
        "contact": here,
        "other": other,
        "q": said,
        "people": find_others(here, said),
    }
    if other is not None:
        swapped = request.GET.get("swap") == "1"
        goes, stays = (here, other) if swapped else (other, here)
        context |= {"goes": goes, "stays": stays, "swapped": swapped}
        context["moving"] = [
            (words, count) for words, count in count_moving(goes.pk).items() if count
        ]
    return render(request, "crm/contact_merge.html", context)


def do_merge(request: HttpRequest, pk: int) -> HttpResponse:
    """`goes` is folded into `stays`; one of them is the contact of the page."""
    here = find_person(request, pk)
    goes = pick_contact(request.POST.get("goes", ""))
    stays = pick_contact(request.POST.get("stays", ""))
    if goes is None or stays is None or here not in (goes, stays):
        messages.error(request, "One of the two is no contact any more.")
        return redirect("admin:crm_contact_merge", pk)
    reason = request.POST.get("reason", "").strip()[:MAX_REASON]
    try:
        merge_contacts(
            source_id=goes.pk, target_id=stays.pk, actor=request.user, reason=reason
        )
    except MergeRefused as refused:
        messages.error(request, str(refused))
        return redirect("admin:crm_contact_merge", pk)
    ring_on_commit()
    messages.success(request, f"{goes} was merged into {stays}.")
    return redirect("admin:crm_contact_change", stays.pk)


def find_person(request: HttpRequest, pk: int) -> Contact:
    if not request.user.has_perm(RIGHT):
        raise PermissionDenied
    return get_object_or_404(Contact.objects.canonical(), pk=pk)


def find_others(here: Contact, said: str) -> list[Contact]:
    if not said.strip():
        return []
    found = Contact.objects.canonical().searched(said).exclude(pk=here.pk)
    return list(found.newest_first()[:FOUND])


def pick_contact(said: str) -> Contact | None:
    if not said.isascii() or not said.isdigit() or len(said) > 18:
        return None
    return Contact.objects.canonical().filter(pk=said).first()
