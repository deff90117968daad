"""Feeds, with what came of the last time, and "fetch now"."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display

from crm import egress
from crm.admin.base import cut_cell
from crm.bell import ring_on_commit
from crm.catalog.feeds import ask_soon, save_feed
from crm.models import Feed


class FeedForm(forms.ModelForm):
    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"]).strip()
        try:
            egress.parse_address(url)
        except egress.EgressRefused as refused:
            raise ValidationError(str(refused)) from refused
        return url


@admin.register(Feed)
class FeedAdmin(ModelAdmin):
    form = FeedForm
    list_display = (
        "shown_url",
        "catalog",
        "shown_result",
        "fetched_at",
        "shown_entries",
        "every_min",
        "is_active",
    )
    list_per_page = 50
    list_select_related = ("catalog",)
    ordering = ("pk",)
    actions = ("fetch_now",)
    empty_hint = "The address of an RSS or Atom feed fills a catalog by itself."
    fieldsets = (
        (
            None,
            {
                "fields": ("url", "catalog", ("every_min", "is_active")),
                "description": "Each entry enters the catalog once. What the feed "
                "holds when it is first read is told to nobody.",
            },
        ),
        (
            "The last time",
            {"fields": (("told_result", "fetched_at"), "error", "shown_entries")},
        ),
    )
    readonly_fields = ("told_result", "fetched_at", "error", "shown_entries")

    @admin.display(description="Address")
    def shown_url(self, feed: Feed) -> SafeString:
        return format_html('<span class="apr-wrap">{}</span>', cut_cell(feed.url))

    @display(
        description="Result",
        label={
            "read": "success",
            "unchanged": "success",
            "failed": "danger",
            "waiting": "info",
        },
    )
    def shown_result(self, feed: Feed) -> tuple[str, str]:
        return feed.result, feed.get_result_display()

    @admin.display(description="Result")
    def told_result(self, feed: Feed) -> str:
        return feed.get_result_display()

    @admin.display(description="Entries")
    def shown_entries(self, feed: Feed) -> str:
        if feed.first_read_at is None:
            return "–"
        return f"{feed.entries}, {feed.entries_new} of them new"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Where its items came from stays known; an inactive one is asked no more.
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj else self.fieldsets[:1]

    def save_model(
        self, request: HttpRequest, obj: Feed, form: Any, change: bool
    ) -> None:
        save_feed(obj, actor=request.user, at=timezone.now())
        ring_on_commit(settings.FEED_BELL_TASK)

    @admin.action(description="Fetch now", permissions=["change"])
    def fetch_now(self, request: HttpRequest, queryset: QuerySet[Feed]) -> None:
        count = ask_soon(queryset, at=timezone.now())
        ring_on_commit(settings.FEED_BELL_TASK)
        self.message_user(
            request,
            f"{count} feeds are asked now; look again shortly.",
            messages.SUCCESS,
        )
