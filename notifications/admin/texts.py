"""The message part of a form: one language's texts, typed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from notifications.admin.fields import PairsField
from notifications.campaigns.compose import Text, clean_fields

BUTTONS = 3
# Sources may be longer than what a phone shows: they hold conditions.
MAX_SOURCE = 20_000
ON_MISSING = (
    ("fail", "The message fails, and the report says which value"),
    ("skip", "The person is skipped quietly"),
)
locale_validator = RegexValidator(
    r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$", "Write a language like en or pt-BR."
)


def make_line(label: str, *, hint: str = "", holder: str = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=MAX_SOURCE,
        help_text=hint,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": holder}),
    )


class TextFields(forms.Form):
    """The fields of a push; mixed into the forms of campaigns and templates."""

    title = make_line("Title", hint="Up to 65 characters; about 45 show at first.")
    body = forms.CharField(
        label="Text",
        required=False,
        max_length=MAX_SOURCE,
        help_text="Up to 240 characters. {first_name} or Liquid: "
        "{{ customer.first_name | default: 'there' }}.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
    )
    link = make_line(
        "Link",
        hint="Where a tap leads: https or one of the app's own schemes.",
        holder="myapp://products/shoes",
    )
    image_url = make_line("Image", hint="An https address.", holder="https://…")
    sound = make_line("Sound", holder="default")
    on_missing = forms.ChoiceField(
        label="If a value is missing",
        required=False,
        choices=ON_MISSING,
        widget=UnfoldAdminSelectWidget,
    )
    channel_id = make_line("Android channel")
    badge = make_line("Badge", hint="A number shown on the app's icon.")
    data = PairsField(
        label="Extra data",
        required=False,
        max_length=MAX_SOURCE,
        help_text="For the app, one a line: key = value.",
    )
    button_1_title = make_line("Button 1", holder="Shop now")
    button_1_link = make_line("Button 1 leads to", holder="https://…")
    button_2_title = make_line("Button 2")
    button_2_link = make_line("Button 2 leads to")
    button_3_title = make_line("Button 3")
    button_3_link = make_line("Button 3 leads to")

    def read_text(self) -> dict[str, Any]:
        """The fields as they are stored."""
        said = self.cleaned_data
        names = ("title", "body", "link", "image_url", "sound", "channel_id", "badge")
        buttons = [
            {
                "title": said.get(f"button_{n}_title", ""),
                "link": said.get(f"button_{n}_link", ""),
            }
            for n in range(1, BUTTONS + 1)
        ]
        return {
            **{name: said.get(name, "") for name in names},
            "on_missing": said.get("on_missing") or "fail",
            "data": said.get("data") or {},
            "buttons": [one for one in buttons if one["title"] or one["link"]],
        }

    def check_text(self) -> None:
        """Faults of the sources land on their fields."""
        fields = self.read_text()
        try:
            clean_fields(fields)
        except ValidationError as error:
            shown = [
                n
                for n in range(1, BUTTONS + 1)
                if self.cleaned_data.get(f"button_{n}_title")
                or self.cleaned_data.get(f"button_{n}_link")
            ]
            for path, faults in error.message_dict.items():
                self.add_error(find_field(path, shown), faults)


def find_field(path: str, buttons: list[int]) -> str:
    """The form's field of a stored field's path; `buttons` were those filled in."""
    if path.startswith("buttons["):
        index, _, part = path.removeprefix("buttons[").partition("].")
        return f"button_{buttons[int(index)]}_{part}"
    if path == "buttons":
        return "button_1_title"
    return path.partition(".")[0]


def spread_text(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Stored fields as the form's initial values."""
    initial = {key: fields[key] for key in TextFields.base_fields if key in fields}
    for n, button in enumerate(fields.get("buttons", ())[:BUTTONS], start=1):
        initial[f"button_{n}_title"] = button.get("title", "")
        initial[f"button_{n}_link"] = button.get("link", "")
    return initial


class TranslationForm(TextFields):
    """Another language of the same message; an empty one is no language."""

    locale = forms.CharField(
        label="Language",
        required=False,
        max_length=35,
        validators=[locale_validator],
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "de"}),
    )

    field_order = ("locale",)

    def clean(self) -> dict[str, Any] | None:
        said = self.cleaned_data
        if self.errors or said.get("DELETE"):
            return said
        if said.get("locale") and not (said.get("title") or said.get("body")):
            self.add_error("body", "Write the text, or remove the language.")
        elif (said.get("title") or said.get("body")) and not said.get("locale"):
            self.add_error("locale", "Name the language.")
        else:
            self.check_text()
        return said


class TranslationSet(forms.BaseFormSet):
    """The other languages, each named once."""

    default_error_messages = {"missing_management_form": "Load the page again."}

    def clean(self) -> None:
        names = [text.locale for text in self.list_texts()]
        if len(names) != len(set(names)):
            raise ValidationError("Each language can stand here once.")

    def list_texts(self) -> list[Text]:
        return [
            Text(form.read_text(), locale=form.cleaned_data["locale"])
            for form in self.forms
            if getattr(form, "cleaned_data", {}).get("locale")
            and not form.cleaned_data.get("DELETE")
        ]


TranslationFormSet = forms.formset_factory(
    TranslationForm,
    formset=TranslationSet,
    extra=1,
    can_delete=True,
    max_num=20,
    absolute_max=40,
)
