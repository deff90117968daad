"""Computed traits: defined as a form, told with progress and what people have."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from crm.admin.base import cut_cell
from crm.bell import ring_on_commit
from crm.clock import read_clock
from crm.computed.definition import KINDS
from crm.computed.drafts import FIELDS, find_field, read_spec, write_spec
from crm.computed.editing import (
    check_computed,
    check_room,
    delete_computed,
    find_affected,
    list_users,
    save_computed,
)
from crm.computed.telling import preview_values
from crm.computed.values import load_definition
from crm.facts.aggregates import MEASURES
from crm.facts.suggestions import suggest_events
from crm.facts.window import UNIT_SECONDS
from crm.models import Catalog, ComputedTrait
from crm.ports.audiences import name_uses
from crm.ports.facts import RuleError

# People whose values the page counts.
SAMPLE = 1_000
SHOWN_EVENTS = 12


def make_text(label: str, words: str = "", *, lines: bool = False) -> forms.CharField:
    widget = UnfoldAdminTextareaWidget({"rows": 3}) if lines else None
    return forms.CharField(
        label=label,
        required=False,
        help_text=words,
        widget=widget or UnfoldAdminTextInputWidget,
    )


def make_choice(label: str, choices: Any, words: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        choices=choices,
        required=False,
        help_text=words,
        widget=UnfoldAdminSelectWidget,
    )


class ComputedTraitForm(forms.ModelForm):
    kind = make_choice("Kind", list(KINDS.items()))
    measure = make_choice(
        "Measure", [(name, word.capitalize()) for name, word in MEASURES.items()]
    )
    events = make_text("Events", "One name a line; several count alike.", lines=True)
    property = make_text(
        "Property", "Which one of the event. “value” is its revenue or price."
    )
    lines = make_text(
        "In each line of", "A list in the event, as “products” of an order."
    )
    catalog = make_choice("Look up in", ())
    catalog_field = make_text(
        "Field of the item", "As category, or an attribute such as colour."
    )
    amount = forms.IntegerField(
        label="In the last",
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Empty: ever.",
    )
    unit = make_choice("Unit", [(one, one) for one in reversed(UNIT_SECONDS)])
    where = make_text("Where", "One a line, as in “plan equals pro”.", lines=True)
    trait = make_text(
        "By the trait", "A number that is known already, instead of events."
    )
    tiers = make_text(
        "Tiers", "One a line, the lowest first, as in “1000 gold”.", lines=True
    )
    on = forms.BooleanField(
        label="On",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Off takes the values away from everybody.",
    )

    confirm = forms.BooleanField(
        label="Change it for all of them",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Asked for where the definition changes, or it is switched off.",
    )

    class Meta:
        model = ComputedTrait
        fields = ("key", "label", "purpose")
        widgets = {"purpose": UnfoldAdminTextareaWidget({"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shelves = Catalog.objects.order_by("slug").values_list("slug", "name")
        self.fields["catalog"].choices = [("", "–"), *shelves]  # type: ignore[attr-defined]
        names = ", ".join(suggest_events()[:SHOWN_EVENTS])
        if names:
            self.fields["events"].help_text += f" Seen lately: {names}."
        if self.instance.pk:
            drafted = read_spec(self.instance.spec)
            for name in FIELDS:
                self.fields[name].initial = drafted[name]
            self.fields["on"].initial = self.instance.is_on

    def clean(self) -> dict[str, Any]:
        """The definition goes on in `spec`: the page still tells the row as it is."""
        said = super().clean() or {}
        try:
            if self.instance.pk is None:
                check_room()
            said["spec"] = write_spec(said)
            check_computed(said["spec"], key=said.get("key") or self.instance.key)
        except RuleError as error:
            field = find_field(error.path)
            words = f"{error.path}: {error.message}." if not field else error.message
            self.add_error(field or None, ValidationError(words, code=error.code))
            return said
        uses = find_affected(self.instance, spec=said["spec"], on=bool(said.get("on")))
        if uses and not said.get("confirm"):
            words = f"Used by {name_uses(uses)}: the people in them will change."
            self.add_error("confirm", ValidationError(words, code="in_use"))
        return said


@admin.register(ComputedTrait)
class ComputedTraitAdmin(ModelAdmin):
    form = ComputedTraitForm
    change_form_template = "admin/crm/computedtrait/change_form.html"
    delete_confirmation_template = "admin/crm/computedtrait/delete_confirmation.html"
    list_display = ("label", "key", "shown_state", "shown_summary")
    list_display_links = ("label",)
    list_per_page = 50
    actions = None
    search_fields = ("label", "key")
    empty_hint = (
        "A computed trait follows from what somebody did: a favourite category, an "
        "average order, a loyalty tier. Segments and messages use it like any other."
    )
    fieldsets = (
        (None, {"fields": ("label", "key", "purpose", "on")}),
        (
            "What it is made of",
            {
                "fields": (
                    ("kind", "measure"),
                    "events",
                    ("property", "lines"),
                    ("catalog", "catalog_field"),
                    ("amount", "unit"),
                    "where",
                ),
            },
        ),
        (
            "Tiers",
            {
                "fields": ("tiers", "trait"),
                "description": "Only for the kind “A tier by a number”.",
            },
        ),
    )

    @display(
        description="State",
        label={"live": "success", "building": "info", "off": "warning"},
    )
    def shown_state(self, trait: ComputedTrait) -> tuple[str, str]:
        return str(trait.state), trait.get_state_display()

    @admin.display(description="What it is")
    def shown_summary(self, trait: ComputedTrait) -> str:
        return cut_cell(trait.summary)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("key",) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        found = super().get_fieldsets(request, obj)
        if obj is None or not any(use.is_live for use in list_users(obj.key)):
            return found
        return [*found, ("Others build on it", {"fields": ("confirm",)})]

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        trait = self.get_object(request, object_id)
        uses = list_users(trait.key) if trait else []
        context = {**(extra_context or {}), "uses": uses}
        return super().delete_view(request, object_id, context)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        leaving = obj is not None and obj.state == ComputedTrait.State.LEAVING
        return not leaving and super().has_change_permission(request, obj)

    def save_model(
        self, request: HttpRequest, obj: ComputedTrait, form: Any, change: bool
    ) -> None:
        said = form.cleaned_data
        obj.spec = said["spec"]
        save_computed(obj, on=said["on"], actor=request.user, confirmed=said["confirm"])
        ring_on_commit(settings.TRAIT_BELL_TASK)

    def delete_model(self, request: HttpRequest, obj: ComputedTrait) -> None:
        # The page before named who asks for it.
        delete_computed(obj, actor=request.user, confirmed=True)
        ring_on_commit(settings.TRAIT_BELL_TASK)
        messages.info(request, "It is taken off everybody first, then it is gone.")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The trait alone: its clocks are nothing to read."""
        return [str(one) for one in objs], {"computed traits": len(objs)}, set(), []

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        trait = context.get("original")
        if trait is not None:
            context["uses"] = list_users(trait.key)
            definition = load_definition(trait)
            context["preview"] = preview_values(
                definition, at=read_clock(), people=SAMPLE
            )
        return super().render_change_form(request, context, *args, **kwargs)
