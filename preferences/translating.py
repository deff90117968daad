"""Texts in other languages as fields of a form: a block for each language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.datastructures import MultiValueDict
from django.utils.safestring import SafeString

from preferences.models import PreferenceCenter
from preferences.models.center import TEXT_FIELDS

LANGUAGES_MAX: Final = 50
LOCALE: Final = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")
LONG: Final = ("intro", "footer")


class TranslationsWidget(forms.Widget):
    """Its value is a list of blocks: {"locale": "de", "headline": …}."""

    use_fieldset = True

    def id_for_label(self, id_: str) -> str:
        # There is no one control that a label could be for.
        return ""

    def render(
        self, name: str, value: Any, attrs: Any = None, renderer: Any = None
    ) -> SafeString:
        """A block for each language, and an empty one."""
        blocks = [*(block for block in value or () if any(block.values())), {}]
        shown = [describe_block(name, n, block) for n, block in enumerate(blocks)]
        context = {"name": name, "blocks": shown}
        return render_to_string("preferences/_translations.html", context)

    def value_from_datadict(
        self, data: Any, files: MultiValueDict[str, Any], name: str
    ) -> list[dict[str, str]]:
        size = str(data.get(f"{name}-size", ""))
        count = (
            min(int(size), LANGUAGES_MAX + 1) if re.fullmatch(r"\d{1,4}", size) else 0
        )
        return [
            {key: data.get(f"{name}-{n}-{key}", "") for key in ("locale", *TEXT_FIELDS)}
            for n in range(count)
        ]


def describe_block(name: str, n: int, block: Mapping[str, str]) -> dict[str, Any]:
    """One language as its template wants it."""
    return {
        "locale": block.get("locale", ""),
        "locale_name": f"{name}-{n}-locale",
        "said": sum(bool(block.get(key)) for key in TEXT_FIELDS),
        "texts": [
            {
                "name": f"{name}-{n}-{key}",
                "label": name_text(key).capitalize(),
                "value": block.get(key, ""),
                "is_long": key in LONG,
            }
            for key in TEXT_FIELDS
        ],
    }


def name_text(key: str) -> str:
    return key.replace("_", " ")


class TranslationsField(forms.Field):
    """Blocks to `PreferenceCenter.translations`; what is empty is left out."""

    widget = TranslationsWidget

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            # A form takes its first values from the address too, as text.
            return value if isinstance(value, list) else []
        return [{"locale": locale, **texts} for locale, texts in sorted(value.items())]

    def to_python(self, value: Any) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for block in value or ():
            texts = {key: block[key].strip() for key in TEXT_FIELDS}
            texts = {key: text for key, text in texts.items() if text}
            locale = block["locale"].strip()
            if not texts:
                continue
            check_block(locale, texts, found)
            found[locale] = texts
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return (initial or {}) != self.to_python(data)
        except ValidationError:
            return True


def check_block(
    locale: str, texts: Mapping[str, str], found: Mapping[str, Any]
) -> None:
    """ValidationError that names the language, or the text that has none."""
    if not locale:
        first = next(iter(texts.values()))[:40].replace("\x00", "�")
        raise ValidationError(f"Say which language “{first}” is, like de.", "required")
    if not LOCALE.fullmatch(locale):
        shown = locale[:40].replace("\x00", "�")
        raise ValidationError(f"“{shown}” is no language: write de, or pt-BR.", "form")
    if locale in found:
        raise ValidationError(f"{locale} stands twice.", "unique")
    for key, text in texts.items():
        limit = getattr(PreferenceCenter._meta.get_field(key), "max_length", None)
        name = f"{locale}: {name_text(key)}"
        if "\x00" in text:
            raise ValidationError(f"{name} has a sign that is no letter.", "form")
        if limit is not None and len(text) > limit:
            raise ValidationError(f"{name} is longer than {limit} letters.", "max")
