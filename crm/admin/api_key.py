"""API keys: made here, shown once, rotated, revoked for good."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from crm.admin.base import MadeOnceAdmin
from crm.keys import KeyEndedError, issue_api_key, revoke_api_key, rotate_api_key
from crm.models import ApiKey

STATE_COLOURS = {
    "live": "success",
    "rotating": "info",
    "expired": "danger",
    "revoked": "danger",
}


class ApiKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=ApiKey.Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Give a key no more than its program needs.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(MadeOnceAdmin):
    form = ApiKeyForm
    list_display = (
        "name",
        "shown_prefix",
        "shown_scopes",
        "last_used_at",
        "ends_at",
        "shown_state",
    )
    list_per_page = 50
    ordering = ("-pk",)
    actions = ("rotate", "revoke")
    empty_hint = "Your apps and servers need one to send events and messages."

    @admin.display(description="Begins with")
    def shown_prefix(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @admin.display(description="Scopes")
    def shown_scopes(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description="Ends", empty_value="never")
    def ends_at(self, key: ApiKey) -> datetime | None:
        return key.revoked_at or key.expires_at

    @display(description="State", label=STATE_COLOURS)
    def shown_state(self, key: ApiKey) -> str:
        return key.describe_state(timezone.now())

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The list's action needs the right; one key can only be revoked.
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: Any, change: bool
    ) -> None:
        made, secret = issue_api_key(
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            expires_at=form.cleaned_data["expires_at"],
            actor=request.user,
        )
        obj.__dict__.update(made.__dict__)
        obj.secret = secret  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        secret: str = obj.secret  # type: ignore[attr-defined]
        return self.show_secret(request, obj, secret)

    def show_secret(
        self, request: HttpRequest, key: ApiKey, secret: str
    ) -> HttpResponse:
        """Shown on this answer only: no redirect, no message that would be stored."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Copy the key now",
            "key": key,
            "secret": secret,
        }
        return TemplateResponse(request, "admin/crm/apikey/secret.html", context)

    @admin.action(
        description="Rotate: new secret, the old one works 24 hours more",
        permissions=["add"],
    )
    def rotate(
        self, request: HttpRequest, queryset: QuerySet[ApiKey]
    ) -> HttpResponse | None:
        keys = list(queryset[:2])
        if len(keys) != 1:
            self.message_user(request, "Rotate one key at a time.", messages.ERROR)
            return None
        try:
            return self.show_secret(
                request, *rotate_api_key(keys[0], actor=request.user)
            )
        except KeyEndedError as error:
            self.message_user(request, str(error), messages.ERROR)
            return None

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        ended = sum(revoke_api_key(key, actor=request.user) for key in queryset)
        self.message_user(request, f"{ended} keys revoked.", messages.SUCCESS)
