"""Templates: named messages for the API and for campaigns; each save a version."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from notifications.admin.campaign_fields import make_choice, make_name
from notifications.admin.texts import (
    TextFields,
    TranslationFormSet,
    locale_validator,
    spread_text,
)
from notifications.campaigns.compose import Text, save_template
from notifications.models import Template, TemplateContent, TemplateVersion
from notifications.models.channel import Channel, PurposeClass

# Letters of a campaign's name in the list.
NAME_SHOWN = 48


class TemplateForm(TextFields, forms.ModelForm):
    name = forms.SlugField(
        max_length=100,
        widget=make_name("").widget,
        help_text="The name that the API uses: letters, numbers and hyphens.",
    )
    purpose_class = make_choice("Class", PurposeClass.choices)
    default_locale = make_name("Language", limit=35, initial="en")

    class Meta:
        model = Template
        fields = ("name", "purpose_class", "default_locale")

    by: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        template: Template | None = kwargs.get("instance")
        texts = read_template_texts(template)
        default = template.default_locale if template else "en"
        kwargs["initial"] = {
            **spread_text(texts.get(default, {})),
            **(kwargs.get("initial") or {}),
        }
        super().__init__(*args, **kwargs)
        self.fields["default_locale"].validators.append(locale_validator)
        self.translations = TranslationFormSet(
            self.data if self.is_bound else None,
            prefix="translations",
            initial=[
                {"locale": locale, **spread_text(fields)}
                for locale, fields in texts.items()
                if locale != default
            ],
        )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        self.check_text()
        if not self.translations.is_valid():
            self.add_error(None, "Correct the other languages below.")
        return said

    def _post_clean(self) -> None:
        """Saving is the last check: only it knows every rule, and it is atomic."""
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        said = self.cleaned_data
        locale = said["default_locale"] or "en"
        try:
            self.instance = save_template(
                self.instance if self.instance.pk else None,
                name=said["name"],
                purpose_class=said["purpose_class"],
                texts=(
                    Text(self.read_text(), locale=locale),
                    *self.translations.list_texts(),
                ),
                default_locale=locale,
                by=self.by,
            )
        except ValidationError as error:
            self.add_error(None, error.messages)


def read_template_texts(template: Template | None) -> dict[str, dict[str, Any]]:
    if template is None or template.current_version_id is None:
        return {}
    rows = TemplateContent.objects.filter(
        version=template.current_version_id, channel=Channel.PUSH, variant=""
    )
    return {row.locale: row.fields for row in rows.order_by("pk")}


class VersionInline(TabularInline):
    """What was; none of it ever changes."""

    model = TemplateVersion
    fields = readonly_fields = ("number", "created_at", "created_by")
    ordering = ("-number",)
    extra = max_num = 0
    can_delete = False
    per_page = 10
    verbose_name_plural = "Versions"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Template)
class TemplateAdmin(ModelAdmin):
    form = TemplateForm
    change_form_template = "admin/notifications/template/change_form.html"
    list_display = (
        "name",
        "shown_campaign",
        "shown_class",
        "shown_version",
        "shown_locale",
    )
    list_filter = ("purpose_class",)
    search_fields = ("name",)
    list_select_related = ("current_version",)
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    inlines = (VersionInline,)
    actions = None
    fieldsets = (
        (None, {"fields": ("name", ("purpose_class", "default_locale"))}),
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
                    "sound",
                )
            },
        ),
        (
            "For the app",
            {"classes": ("collapse",), "fields": (("channel_id", "badge"), "data")},
        ),
    )

    @display(description="Used by")
    def shown_campaign(self, template: Template) -> str:
        if template.campaign_id is None:
            return "The API"
        page = reverse(
            "admin:notifications_campaign_change", args=[template.campaign_id]
        )
        name = Truncator(template.campaign_name).chars(NAME_SHOWN)
        return format_html('<a class="apr-link" href="{}">{}</a>', page, name)

    @display(description="Language", ordering="default_locale")
    def shown_locale(self, template: Template) -> str:
        return template.default_locale

    @display(description="Class")
    def shown_class(self, template: Template) -> str:
        return str(template.get_purpose_class_display()).capitalize()

    @display(description="Version")
    def shown_version(self, template: Template) -> str:
        version = template.current_version
        return f"{version.number}, {version.created_at:%-d %b %Y}" if version else "–"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Template]:
        return Template.objects.select_related("current_version").with_campaign()

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        form.by = request.user
        return form

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Messages that were sent point at its versions.
        return False

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Template:
        # Saved already, as the form's last check.
        return form.instance

    def save_model(self, *args: Any, **kwargs: Any) -> None:
        return

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        # The versions below are read-only: nothing of theirs was saved.
        return super().construct_change_message(request, form, [], add)

    def save_related(self, *args: Any, **kwargs: Any) -> None:
        return
