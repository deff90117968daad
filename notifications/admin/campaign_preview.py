"""Preview a campaign as any contact, send a test, and see whom it would reach."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from crm.bell import ring_on_commit
from crm.clock import read_clock
from crm.models import Contact
from notifications.admin.campaign_page import describe_page, find_campaign
from notifications.admin.lockscreen import build_screens
from notifications.campaigns.audience import select_people
from notifications.campaigns.preview import preview_campaign, sample_audience
from notifications.campaigns.testing import send_test
from notifications.decisioning.reach import Reach, measure_reach
from notifications.delivery.messages import Rendered
from notifications.models import Campaign, CampaignVersion
from notifications.models.channel import Channel, PurposeClass
from notifications.reasons import SENTENCES
from segments.models import Segment

SEND_TEST = "notifications.send_test"
FOUND = 8
# Named by the campaign, not imported: consent is another app's.
TOPIC = CampaignVersion._meta.get_field("topic").related_model


def show_preview(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """The message as the contact named in `?contact=` would get it."""
    campaign = find_campaign(model_admin, request, pk)
    context = describe_page(model_admin, request, campaign, "preview")
    people = list_choices(campaign, request.GET.get("q", ""))
    contact = pick_contact(request.GET.get("contact", "")) or next(iter(people), None)
    if contact is not None:
        context |= describe_preview(campaign, contact)
    return render(
        request,
        "notifications/preview.html",
        {
            **context,
            "people": people,
            "q": request.GET.get("q", ""),
            "contact": contact,
            "may_test": request.user.has_perm(SEND_TEST),
            "sandbox": settings.SANDBOX,
        },
    )


def list_people(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """The contacts a search means, for the preview's box."""
    campaign = find_campaign(model_admin, request, pk)
    people = list_choices(campaign, request.GET.get("q", ""))
    context = {"people": people, "campaign": campaign, "q": request.GET.get("q", "")}
    return render(request, "notifications/_people.html", context)


def list_choices(campaign: Campaign, said: str) -> list[Contact]:
    """Whom the words mean; without words, some of the audience."""
    if said.strip():
        return list(Contact.objects.canonical().searched(said)[:FOUND])
    if campaign.current_version is None:
        return []
    sample = sample_audience(campaign.current_version, limit=FOUND)
    return sample or list(Contact.objects.canonical().newest_first()[:FOUND])


def pick_contact(said: str) -> Contact | None:
    if not said:
        return None
    if not said.isascii() or not said.isdigit() or len(said) > 18:
        return None
    return Contact.objects.canonical().filter(pk=said).first()


def describe_preview(campaign: Campaign, contact: Contact) -> dict[str, Any]:
    text = preview_campaign(campaign, contact)
    if not isinstance(text, Rendered):
        return {"unrendered": text, "sentence": SENTENCES.get(text.reason, "")}  # type: ignore[call-overload]
    push = text.push
    return {
        "push": push,
        "locale": text.locale,
        "screens": build_screens(push.title, push.body),
    }


def post_test(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """Send the campaign's message to one person, now."""
    campaign = find_campaign(model_admin, request, pk)
    if not request.user.has_perm(SEND_TEST):
        raise PermissionDenied
    contact = pick_contact(request.POST.get("contact", ""))
    page = reverse("admin:notifications_campaign_preview", args=[pk])
    if contact is None:
        messages.error(request, "Choose a contact first.")
        return redirect(page)
    try:
        delivery = send_test(campaign, contact, request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect(f"{page}?contact={contact.pk}")
    ring_on_commit()
    messages.success(request, f"1 test message to {contact} is on its way.")
    return redirect("admin:notifications_delivery_change", delivery.pk)


def show_audience(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Reach of what the form says now, saved or not."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    said = request.GET
    segment = said.get("segment", "")
    topic = said.get("topic", "")
    version = CampaignVersion(
        segment=get_object_or_404(Segment, pk=segment) if segment.isdecimal() else None,
        topic_id=get_object_or_404(TOPIC, pk=topic).pk if topic.isdecimal() else None,
        purpose_class=PurposeClass.TRANSACTIONAL
        if said.get("purpose_class") == PurposeClass.TRANSACTIONAL
        else PurposeClass.PROMOTIONAL,
        channel=Channel.PUSH,
    )
    needs_topic = version.purpose_class == PurposeClass.PROMOTIONAL
    reach = None if needs_topic and not version.topic_id else read_reach(version)
    return render(request, "notifications/_audience.html", {"reach": reach})


def read_reach(version: CampaignVersion) -> Reach:
    people, params = select_people(version)
    return measure_reach(version, people=people, params=params, at=read_clock())
