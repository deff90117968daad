"""Senders: keys go in and never come out; pause and resume."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget

from crm.bell import ring_on_commit
from crm.clock import read_clock
from notifications.delivery.senders import (
    MAX_CREDENTIALS_BYTES,
    pause_sender,
    resume_sender,
    save_sender,
)
from notifications.models import Sender


class SenderForm(forms.ModelForm):
    """The key is a file that is read once, checked, and encrypted."""

    key_file = forms.FileField(
        label="Service account",
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="The JSON file of Firebase: Project settings, Service accounts. "
        "It is encrypted and never shown again. Empty keeps the one there is.",
    )

    class Meta:
        model = Sender
        fields = ("name", "brand", "channel", "kind", "is_default", "rate_per_min")
        labels = {
            "is_default": "Default for its channel",
            "rate_per_min": "Messages a minute",
        }

    by: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # For the page's script: the sandbox takes no key.
        self.fields["kind"].widget.attrs["data-shows"] = f"{Sender.Kind.FCM}:key_file"

    def clean_key_file(self) -> str:
        upload = self.cleaned_data.get("key_file")
        if not upload:
            return ""
        raw = upload.read(MAX_CREDENTIALS_BYTES + 1)
        try:
            return str(raw.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ValidationError("This is not a JSON file.") from error

    def _post_clean(self) -> None:
        """Saving is the last check: a key that cannot be used is refused."""
        names = list(self.Meta.fields)
        if self.errors:
            super()._post_clean()  # type: ignore[misc]
            return
        changed = {name: self.cleaned_data[name] for name in names}
        if self.cleaned_data.get("key_file"):
            changed["credentials"] = self.cleaned_data["key_file"]
        sender = (
            Sender.objects.get(pk=self.instance.pk) if self.instance.pk else Sender()
        )
        try:
            self.instance = save_sender(sender, by=self.by, changed=changed)
        except ValidationError as error:
            faults = error.message_dict if hasattr(error, "error_dict") else {}
            for name, text in faults.items():
                field = "key_file" if name == "credentials" else name
                self.add_error(field if field in self.fields else None, text)
            if not faults:
                self.add_error(None, error)


@admin.register(Sender)
class SenderAdmin(ModelAdmin):
    form = SenderForm
    change_form_template = "admin/notifications/sender/change_form.html"
    list_display = ("name", "shown_kind", "channel", "shown_default", "shown_state")
    list_per_page = 50
    ordering = ("name",)
    actions = None
    fieldsets = (
        (None, {"fields": (("name", "brand"), ("channel", "kind"), "key_file")}),
        (
            "How it is used",
            {
                "fields": (("is_default", "rate_per_min"),),
                "description": "A Firebase project may send 600,000 a minute; "
                "half of that leaves room for your other systems.",
            },
        ),
    )

    @display(description="Kind", label={"fcm": "primary", "sandbox": "warning"})
    def shown_kind(self, sender: Sender) -> tuple[str, str]:
        return sender.kind, "Firebase" if sender.kind == "fcm" else "Sandbox"

    @display(description="Default", boolean=True)
    def shown_default(self, sender: Sender) -> bool:
        return sender.is_default

    @display(
        description="State",
        label={"sending": "success", "paused": "warning", "waiting": "danger"},
    )
    def shown_state(self, sender: Sender) -> str:
        if sender.paused_at:
            return "paused"
        return "waiting" if sender.breakers.all() else "sending"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "now": read_clock()}
        )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("breakers")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Messages point at it; pause it instead.
        return False

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        form.by = request.user
        return form

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Sender:
        # Saved already, as the form's last check.
        return form.instance

    def save_model(self, *args: Any, **kwargs: Any) -> None:
        return

    def save_related(self, *args: Any, **kwargs: Any) -> None:
        return

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "<int:pk>/pause/",
                view(require_POST(self.pause_view)),
                name="notifications_sender_pause",
            ),
            path(
                "<int:pk>/resume/",
                view(require_POST(self.resume_view)),
                name="notifications_sender_resume",
            ),
            *super().get_urls(),
        ]

    def pause_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        sender = self._find(request, pk)
        pause_sender(sender, by=request.user, reason=request.POST.get("reason", ""))
        messages.success(request, "1 sender paused; its messages wait.")
        return redirect("admin:notifications_sender_change", pk)

    def resume_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        resume_sender(self._find(request, pk), by=request.user)
        ring_on_commit()
        messages.success(request, "1 sender resumed; its messages go on.")
        return redirect("admin:notifications_sender_change", pk)

    def _find(self, request: HttpRequest, pk: int) -> Sender:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return get_object_or_404(Sender, pk=pk)
