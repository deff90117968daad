"""Staff: the center's editor, the ledger, suppressions. Declaration only."""

from __future__ import annotations

import base64
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminColorInputWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
)

from crm.admin.base import MadeOnceAdmin, OfContactAdmin, ReadOnlyAdmin
from preferences.centers import next_topic_number, publish_wording
from preferences.models import (
    CenterWording,
    Channel,
    ConsentRecord,
    PreferenceCenter,
    PreferenceLink,
    Subscription,
    Suppression,
    Topic,
)
from preferences.models.center import check_logo
from preferences.suppressions import lift_suppression, suppress_contact
from preferences.tokens import revoke_links
from preferences.translating import TranslationsField

# First bytes of the picture kinds a page may carry.
PICTURE_MARKS = {
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
    b"GIF8": "gif",
    b"RIFF": "webp",
}


class CenterForm(forms.ModelForm):
    """Channels as boxes, the logo as a file."""

    channels = forms.MultipleChoiceField(
        choices=Channel.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    privacy_policy_url = forms.URLField(
        required=False, assume_scheme="https", widget=UnfoldAdminURLInputWidget
    )
    logo_file = forms.FileField(
        label="Logo",
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="PNG, JPEG, WebP or GIF, at most 23 KB; shown 40 pixels high.",
    )
    translations = TranslationsField(
        label="Other languages",
        required=False,
        help_text="What is empty is shown as written above. Emptied, a language goes.",
    )
    drop_logo = forms.BooleanField(label="Remove the logo", required=False)

    class Meta:
        model = PreferenceCenter
        fields = (
            "brand",
            "is_published",
            "headline",
            "intro",
            "master_label",
            "master_hint",
            "footer",
            "locales",
            "translations",
            "accent",
            "channels",
            "privacy_policy_url",
            "privacy_policy_version",
        )
        widgets = {
            "accent": UnfoldAdminColorInputWidget,
            "intro": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
            "footer": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
            "locales": UnfoldAdminTextInputWidget,
        }

    def clean_logo_file(self) -> str:
        """The picture as a data URI; '' where none was given."""
        upload = self.cleaned_data.get("logo_file")
        if not upload:
            return ""
        content = upload.read(64 * 1024)
        kind = next((k for m, k in PICTURE_MARKS.items() if content.startswith(m)), "")
        uri = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
        check_logo(uri)
        return uri

    def clean_locales(self) -> list[str]:
        locales = self.cleaned_data["locales"]
        if not locales:
            raise ValidationError("Name at least one language, like en.")
        return locales


class TopicForm(forms.ModelForm):
    """A key never changes: rules, campaigns and other systems name it."""

    class Meta:
        model = Topic
        fields = (
            "position",
            "name",
            "description",
            "key",
            "default",
            "is_transactional",
            "is_active",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].disabled = self.instance.pk is not None
        # In a table the column's head is no label: each cell carries its own.
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = str(field.label)


class TopicInline(TabularInline):
    model = Topic
    form = TopicForm
    extra = 0
    can_delete = False
    fields = (
        "position",
        "name",
        "description",
        "key",
        "default",
        "is_transactional",
        "is_active",
    )

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> dict[str, Any]:
        return {"key": ["name"]}


@admin.register(PreferenceCenter)
class PreferenceCenterAdmin(ModelAdmin):
    form = CenterForm
    inlines = (TopicInline,)
    list_display = ("brand", "headline", "is_published", "wording_version")
    list_select_related = ("brand",)
    readonly_fields = ("preview", "wording_version")
    fieldsets = (
        (None, {"fields": ("brand", "is_published", "wording_version")}),
        (
            "Preview",
            {
                "description": "As a new contact sees it; it follows what you type.",
                "fields": ("preview",),
            },
        ),
        (
            "Words",
            {
                "description": "Each change makes a new wording; consents name theirs.",
                "fields": (
                    "headline",
                    "intro",
                    "master_label",
                    "master_hint",
                    "footer",
                    "locales",
                    "translations",
                ),
            },
        ),
        ("Look", {"fields": ("accent", "logo_file", "drop_logo")}),
        (
            "Channels and policy",
            {"fields": ("channels", "privacy_policy_url", "privacy_policy_version")},
        ),
    )

    class Media:
        js = ("preferences/preview.js",)

    @admin.display(description="")
    def preview(self, obj: PreferenceCenter) -> SafeString | str:
        if obj.pk is None:
            return "Save once to see it."
        url = reverse("preferences:preview", args=[obj.pk])
        return render_to_string("preferences/_preview.html", {"url": url})

    def save_form(
        self, request: HttpRequest, form: Any, change: bool
    ) -> PreferenceCenter:
        center = super().save_form(request, form, change)
        if form.cleaned_data.get("logo_file"):
            center.logo = form.cleaned_data["logo_file"]
        elif form.cleaned_data.get("drop_logo"):
            center.logo = ""
        return center

    def save_formset(
        self, request: HttpRequest, form: Any, formset: Any, change: bool
    ) -> None:
        for topic in formset.save(commit=False):
            topic.number = topic.number or next_topic_number(form.instance)
            topic.save()

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        publish_wording(form.instance, actor=request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(CenterWording)
class CenterWordingAdmin(ReadOnlyAdmin):
    list_display = ("center", "version", "created_at")
    list_select_related = ("center__brand",)
    list_filter = ("center",)


@admin.register(ConsentRecord)
class ConsentRecordAdmin(ReadOnlyAdmin):
    list_display = (
        "at",
        "subject",
        "state",
        "actor",
        "source",
        "wording_version",
        "shown_contact",
    )
    list_select_related = ("topic", "center__brand")
    list_filter = ("action", "channel", "topic")
    search_fields = ("contact_uuid",)
    search_help_text = "Beginning of a contact's name, e-mail or id, or a whole UUID"
    empty_hint = "Every choice that a person makes is written here for good."
    ordering = ("-pk",)

    @admin.display(description="Contact")
    def shown_contact(self, row: ConsentRecord) -> SafeString | str:
        """By the end of the UUID: the record itself holds no name."""
        end = f"…{row.contact_uuid.hex[-8:]}"
        pk = getattr(row, "contact_pk", None)
        if pk is None:
            return end
        url = reverse("admin:crm_contact_change", args=[pk])
        return format_html('<a class="apr-link" href="{}">{}</a>', url, end)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ConsentRecord]:
        return ConsentRecord.objects.with_contacts()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return queryset.of_searched(search_term), False  # type: ignore[attr-defined]

    @display(
        description="action",
        label={"subscribed": "success", "unsubscribed": "danger", "cleared": "info"},
    )
    def state(self, row: ConsentRecord) -> str:
        return row.action


@admin.register(Subscription)
class SubscriptionAdmin(OfContactAdmin, ReadOnlyAdmin):
    list_display = ("contact", "subject", "standing", "changed_at")
    list_select_related = ("contact", "topic")
    list_filter = ("state", "channel", "topic")
    empty_hint = "Choices appear here when people make them on their preference page."
    ordering = ("-pk",)

    @display(
        description="state", label={"subscribed": "success", "unsubscribed": "danger"}
    )
    def standing(self, row: Subscription) -> str:
        return row.state


@admin.register(Suppression)
class SuppressionAdmin(OfContactAdmin, MadeOnceAdmin):
    list_display = ("contact", "channel", "reason", "at", "actor", "lifted_at")
    list_select_related = ("contact",)
    list_filter = ("reason", "channel", ("lifted_at", admin.EmptyFieldListFilter))
    empty_hint = (
        "A person who must not be written to, whatever they chose: bounces and "
        "complaints come here by themselves, others are added by hand."
    )
    autocomplete_fields = ("contact",)
    readonly_fields = ("actor", "at", "lifted_at")
    ordering = ("-pk",)
    actions = ("lift",)

    def get_fields(
        self, request: HttpRequest, obj: Suppression | None = None
    ) -> tuple[str, ...]:
        said = ("contact", "channel", "reason", "note")
        return (*said, "actor", "at", "lifted_at") if obj else said

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Made and lifted, never edited."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Suppression, form: Any, change: bool
    ) -> None:
        row = suppress_contact(
            obj.contact,
            channel=obj.channel,
            reason=obj.reason,
            note=obj.note,
            at=timezone.now(),
            actor=request.user,
        )
        obj.pk = row.pk

    @action(description="Lift: write to them again", permissions=["change"])
    def lift(self, request: HttpRequest, rows: QuerySet[Suppression]) -> None:
        now, user = timezone.now(), request.user
        lifted = sum(lift_suppression(row, at=now, actor=user) for row in rows)
        messages.success(request, f"Lifted {lifted} of {len(rows)}.")


@admin.register(PreferenceLink)
class PreferenceLinkAdmin(OfContactAdmin, ReadOnlyAdmin):
    list_display = ("contact", "version")
    list_select_related = ("contact",)
    empty_hint = "A person gets a row when the links sent to them were revoked."
    actions = ("revoke",)

    @action(
        description="Revoke: links made so far stop working", permissions=["revoke"]
    )
    def revoke(self, request: HttpRequest, rows: QuerySet[PreferenceLink]) -> None:
        for row in rows.select_related("contact"):
            revoke_links(row.contact, actor=request.user)
        messages.success(request, f"Revoked the links of {len(rows)} contacts.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("preferences.change_preferencelink")
