"""Campaigns in the admin: the list, the form, and the pages around one campaign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from crm.bell import ring_on_commit
from notifications.admin import campaign_launch, campaign_preview, campaign_report
from notifications.admin.campaign_form import CampaignForm
from notifications.admin.campaign_page import STATE_LABELS, describe_page
from notifications.analytics.outcomes import Outcome, count_outcomes
from notifications.models import Campaign

POLICY = (
    "What happens when a provider's answer is lost: a promotional message is sent at "
    "most once, so a few may be missing; a transactional one at least once, so a few "
    "may come twice."
)


@admin.register(Campaign)
class CampaignAdmin(ModelAdmin):
    form = CampaignForm
    change_form_template = "admin/notifications/campaign/change_form.html"
    list_display = (
        "shown_name",
        "shown_state",
        "shown_kind",
        "shown_segment",
        "sent",
        "opened",
        "converted",
        "shown_next",
    )
    list_filter = ("state", "origin")
    search_fields = ("name",)
    search_help_text = "A part of the name"
    ordering = ("-pk",)
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    list_select_related = ("current_version", "current_version__segment")
    readonly_fields = ("audience_size",)
    # Only the state of a campaign ends it: rows hang on it.
    actions = None
    fieldsets = (
        (None, {"fields": (("name", "origin"), "seen_version")}),
        (
            "Who",
            {
                "fields": (("segment", "recheck_audience"), "audience_size"),
                "description": "One segment, or everybody who may get it.",
            },
        ),
        (
            "Why we may",
            {"fields": (("purpose_class", "topic"),), "description": POLICY},
        ),
        (
            "What",
            {
                "fields": (
                    "title",
                    "body",
                    ("link", "image_url"),
                    ("button_1_title", "button_1_link"),
                    ("button_2_title", "button_2_link"),
                    ("button_3_title", "button_3_link"),
                    "on_missing",
                    ("sound", "default_locale"),
                )
            },
        ),
        (
            "When",
            {
                "fields": (
                    "kind",
                    "trigger_event",
                    "trigger_filters",
                    "trigger_delay_s",
                    ("reentry", "reentry_gap_s"),
                    "send_at",
                    "local_send_at",
                    ("interval", "crontab"),
                    "time_zone",
                )
            },
        ),
        (
            "Goal",
            {
                "fields": (
                    "goal_event",
                    ("goal_window_s", "goal_anchor"),
                    ("exit_on_goal", "exit_events"),
                )
            },
        ),
        (
            "Limits",
            {
                "fields": (
                    ("ttl_s", "offer_ends_at"),
                    ("quiet_policy", "cap_policy"),
                    ("priority", "device_target"),
                    ("ignores_caps", "counts_in_caps"),
                )
            },
        ),
        (
            "Links, sender and app",
            {
                "classes": ("collapse",),
                "fields": (
                    ("utm_source", "utm_medium"),
                    ("utm_campaign", "utm_content"),
                    ("sender", "channel_id"),
                    ("badge", "data"),
                ),
            },
        ),
    )

    @display(description="Campaign", ordering="name")
    def shown_name(self, campaign: Campaign) -> str:
        return campaign.name

    @display(description="State", ordering="state", label=STATE_LABELS)
    def shown_state(self, campaign: Campaign) -> tuple[str, str]:
        return campaign.state, campaign.get_state_display()

    @display(description="Starts")
    def shown_kind(self, campaign: Campaign) -> str:
        version = campaign.current_version
        if version is None:
            return "–"
        if version.trigger_event:
            return f"On {version.trigger_event}"
        return str(version.get_kind_display()).partition(",")[0]

    @display(description="Who")
    def shown_segment(self, campaign: Campaign) -> str:
        version = campaign.current_version
        return str(version.segment or "Everybody") if version else "–"

    @display(description="Sent")
    def sent(self, campaign: Campaign) -> str:
        return f"{_outcome(campaign).sent:,}"

    @display(description="Opened")
    def opened(self, campaign: Campaign) -> str:
        found = _outcome(campaign)
        return _show_share(found.opened, found.sent)

    @display(description="Converted")
    def converted(self, campaign: Campaign) -> str:
        found = _outcome(campaign)
        return _show_share(found.converted, found.sent)

    @display(description="Next run", ordering="next_run_at")
    def shown_next(self, campaign: Campaign) -> str:
        at = campaign.next_run_at
        return f"{at:%-d %b %Y, %H:%M} UTC" if at else "–"

    @display(description="Reach now")
    def audience_size(self, campaign: Campaign) -> str:
        """Filled after the page is there: a large audience takes a moment."""
        return format_html(
            '<div id="audience" hx-get="{}" hx-trigger="load" hx-include="{}">{}</div>',
            reverse("admin:notifications_campaign_audience"),
            "[name=segment],[name=topic],[name=purpose_class]",
            "The page “Check” shows it once this is saved.",
        )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The page's counts in one query."""
        page = super().get_changelist_instance(request)
        found = count_outcomes([campaign.pk for campaign in page.result_list])
        for campaign in page.result_list:
            campaign.outcome = found.get(campaign.pk, Outcome())
        return page

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        return Campaign.objects.with_definition()

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        form.by = request.user
        return form

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and obj.state in Campaign.FINAL:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Cancel it: what was sent stays on the record.
        return False

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return super().add_view(request, form_url, {"show_save_and_add_another": False})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form; who may not edit, or finds it ended, reads the report."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        campaign = self.get_object(request, object_id)
        if campaign is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_change_permission(request, campaign):
            if request.method == "POST":
                raise PermissionDenied
            return redirect("admin:notifications_campaign_report", campaign.pk)
        context = describe_page(self, request, campaign, "edit")
        context["show_save_and_add_another"] = False
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Campaign:
        # Saved already, as the form's last check.
        return form.instance

    def save_model(self, *args: Any, **kwargs: Any) -> None:
        return

    def save_related(self, *args: Any, **kwargs: Any) -> None:
        return

    def response_add(
        self, request: HttpRequest, obj: Campaign, post_url_continue: Any = None
    ) -> HttpResponse:
        return self._go_on(request, obj)

    def response_change(self, request: HttpRequest, obj: Campaign) -> HttpResponse:
        return self._go_on(request, obj)

    def _go_on(self, request: HttpRequest, obj: Campaign) -> HttpResponse:
        """After a save comes the look at it; "continue" stays on the form."""
        version = obj.current_version
        number = version.number if version else 1
        messages.success(request, f"Saved as version {number}.")
        ring_on_commit()
        page = "change" if "_continue" in request.POST else "preview"
        return redirect(reverse(f"admin:notifications_campaign_{page}", args=[obj.pk]))

    def get_urls(self) -> list[URLPattern]:
        return [
            self._route("audience/", "audience", campaign_preview.show_audience),
            self._route("<int:pk>/preview/", "preview", campaign_preview.show_preview),
            self._route("<int:pk>/people/", "people", campaign_preview.list_people),
            self._route("<int:pk>/check/", "check", campaign_launch.show_check),
            self._route("<int:pk>/report/", "report", campaign_report.show_report),
            self._route(
                "<int:pk>/test/", "test", campaign_preview.post_test, post=True
            ),
            *(
                self._route(
                    f"<int:pk>/{deed}/",
                    deed,
                    getattr(campaign_launch, f"post_{deed}"),
                    post=True,
                )
                for deed in ("launch", "pause", "resume", "cancel")
            ),
            *super().get_urls(),
        ]

    def _route(
        self,
        route: str,
        name: str,
        view: Callable[..., HttpResponse],
        *,
        post: bool = False,
    ) -> URLPattern:
        guard = require_POST if post else require_GET

        def bound(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            return view(self, request, **kwargs)

        return path(
            route,
            self.admin_site.admin_view(guard(bound)),
            name=f"notifications_campaign_{name}",
        )


def _outcome(campaign: Campaign) -> Outcome:
    return getattr(campaign, "outcome", Outcome())


def _show_share(part: int, whole: int) -> str:
    return f"{part:,} · {part / whole:.0%}" if whole else "–"
