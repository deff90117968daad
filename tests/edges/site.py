"""The site's own lists: every route, every page of the admin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.urls import URLPattern, get_resolver, reverse


@dataclass(frozen=True, slots=True)
class Route:
    """`template`: the address with its parameters in angle brackets."""

    template: str
    view: Any
    parameters: dict[str, str]


def list_routes() -> list[Route]:
    """Every address of the site, in the order of the URL map."""
    return list(walk_patterns(get_resolver().url_patterns))


def walk_patterns(patterns: Any, before: str = "/") -> Iterator[Route]:
    for pattern in patterns:
        template, kinds = simplify_pattern(str(pattern.pattern))
        if isinstance(pattern, URLPattern):
            yield Route(before + template, pattern.callback, kinds)
        else:
            yield from walk_patterns(pattern.url_patterns, before + template)


def simplify_pattern(text: str) -> tuple[str, dict[str, str]]:
    """`<int:pk>/` and `(?P<pk>[0-9]+)/$` both read `<pk>/`."""
    text = text.lstrip("^").removesuffix("$")
    kinds = {
        name: kind or "str" for kind, name in re.findall(r"<(?:(\w+):)?(\w+)>", text)
    }
    text = re.sub(r"\(\?P(<\w+>)(?:[^()]|\([^()]*\))*\)", r"\1", text)
    return re.sub(r"<\w+:(\w+)>", r"<\1>", text), kinds


def list_models() -> list[type[Model]]:
    """What the admin shows; importing the URL map registers it."""
    get_resolver().url_patterns  # noqa: B018
    return sorted(admin.site._registry, key=lambda model: model._meta.label_lower)


def name_list(model: type[Model]) -> str:
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
