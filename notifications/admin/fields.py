"""Form fields in the product's words: periods, wall times, lists typed as text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from crm.clock import read_clock
from crm.ports.facts import RuleError
from notifications.campaigns.triggers import compile_trigger_filters

UNITS_S = (("60", "minutes"), ("3600", "hours"), ("86400", "days"))


class PeriodWidget(forms.MultiWidget):
    """A number and its unit, side by side."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        number = UnfoldAdminIntegerFieldWidget(attrs={"min": 0, "class": "apr-narrow"})
        number.attrs["aria-label"] = "How many"
        unit = UnfoldAdminSelectWidget(choices=UNITS_S)
        unit.attrs["aria-label"] = "Unit"
        super().__init__({"n": number, "unit": unit}, attrs)

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        inner = super().render(*args, **kwargs)
        return format_html('<span class="apr-period">{}</span>', inner)

    def decompress(self, value: Any) -> list[Any]:
        """The largest unit that divides the seconds."""
        seconds = int(value or 0)
        for unit in (86_400, 3_600):
            if seconds and seconds % unit == 0:
                return [seconds // unit, str(unit)]
        return [seconds // 60, "60"]


class PeriodField(forms.MultiValueField):
    """Seconds, typed as a number of minutes, hours or days."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            fields=(
                # No period anybody means is longer, and the column holds 2**31.
                forms.IntegerField(min_value=0, max_value=20_000),
                forms.ChoiceField(choices=UNITS_S),
            ),
            widget=PeriodWidget,
            **kwargs,
        )

    def compress(self, data_list: Sequence[Any]) -> int:
        if not data_list:
            return 0
        number, unit = data_list
        return int(number or 0) * int(unit or 60)


class WallTimeInput(forms.DateTimeInput):
    """The browser's own picker: a wall time without a zone."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        classes = UnfoldAdminTextInputWidget().attrs.get("class", "")
        super().__init__(attrs={"class": classes}, format="%Y-%m-%dT%H:%M")


class WallTimeField(forms.DateTimeField):
    """A naive datetime; the form says in which zone it is meant."""

    widget = WallTimeInput

    def prepare_value(self, value: Any) -> Any:
        return value

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        return found.replace(tzinfo=None) if found else None


class NamesField(forms.CharField):
    """Names separated by commas, as a list."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        text = super().clean(value)
        return [name.strip() for name in text.split(",") if name.strip()]


class PairsField(forms.CharField):
    """Lines of `key = value`, as a mapping."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return "\n".join(f"{key} = {text}" for key, text in value.items())
        return value

    def clean(self, value: Any) -> dict[str, str]:
        pairs: dict[str, str] = {}
        for number, line in enumerate(super().clean(value).splitlines(), start=1):
            if not line.strip():
                continue
            key, sign, text = line.partition("=")
            if not sign or not key.strip():
                raise ValidationError(f"Line {number}: write key = value.")
            pairs[key.strip()] = text.strip()
        return pairs


SIGNS = {
    ">=": "gte",
    "<=": "lte",
    "!=": "not_equals",
    ">": "gt",
    "<": "lt",
    "=": "equals",
}
LINE = re.compile(
    r"^(?P<name>.+?)\s*(?:(?P<sign>>=|<=|!=|>|<|=)|"
    r"\s(?P<word>contains|starts_with|in|exists|not_exists)(?:\s|$))\s*(?P<value>.*)$"
)


class FiltersField(forms.CharField):
    """Filters on an event's properties, one a line: `total > 50`."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 2})

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return "\n".join(show_filter(node) for node in value)
        return value

    def clean(self, value: Any) -> list[dict[str, Any]]:
        lines = super().clean(value).splitlines()
        nodes = [read_line(line) for line in lines if line.strip()]
        try:
            compile_trigger_filters(nodes, at=read_clock())
        except RuleError as error:
            raise ValidationError(str(error)) from error
        return nodes


def show_filter(node: dict[str, Any]) -> str:
    words = {op: sign for sign, op in SIGNS.items()}
    op = words.get(node["op"], node["op"])
    if "value" not in node:
        return f"{node['property']} {op}"
    value = node["value"]
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # A text that would be read as a number keeps its quotes.
    if isinstance(value, str) and read_value(value) != value:
        shown = json.dumps(value, ensure_ascii=False)
    return f"{node['property']} {op} {shown}"


def read_line(line: str) -> dict[str, Any]:
    found = LINE.match(line.strip())
    if found is None:
        raise ValidationError(f"“{line.strip()[:80]}”: write it like total > 50.")
    op = SIGNS.get(found["sign"] or "", found["word"])
    node: dict[str, Any] = {"property": found["name"].strip(), "op": op}
    if op in ("exists", "not_exists"):
        return node
    value = found["value"].strip()
    if op == "in":
        parts = value.strip("[]").split(",")
        return {**node, "value": [read_value(part.strip()) for part in parts]}
    return {**node, "value": read_value(value)}


def read_value(text: str) -> Any:
    """Numbers, true and false are read as such; everything else is text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str | int | float | bool) else text
