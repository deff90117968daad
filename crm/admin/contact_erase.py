"""Erase a person for good: say what goes, confirm."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from crm.admin.merge import MAX_REASON
from crm.events.merge import count_moving
from crm.models import Contact
from crm.privacy import erase_contact

RIGHT = "crm.delete_contact"


def show_erasure(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    contact = find_person(request, pk)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": f"Erase {contact.display_name}",
        "contact": contact,
        "going": [(word, n) for word, n in count_moving(contact.pk).items() if n],
    }
    return render(request, "crm/contact_erase.html", context)


def do_erase(request: HttpRequest, pk: int) -> HttpResponse:
    contact = find_person(request, pk)
    reason = request.POST.get("reason", "").strip()[:MAX_REASON]
    erase_contact(contact, actor=request.user, reason=reason)
    messages.success(request, "The person was erased, and stays erased.")
    return redirect("admin:crm_contact_changelist")


def find_person(request: HttpRequest, pk: int) -> Contact:
    if not request.user.has_perm(RIGHT):
        raise PermissionDenied
    return get_object_or_404(Contact.objects.canonical(), pk=pk)
