"""The editor's pages: build a rule, see who it finds, save it.

Each page works as plain form posts; htmx only fetches less of it.
"""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from crm.clock import read_clock
from crm.facts.suggestions import (
    suggest_events,
    suggest_properties,
    suggest_traits,
    suggest_values,
)
from crm.ports.facts import RuleError
from segments.admin.draft import (
    Node,
    apply_deed,
    build_editor,
    find_key,
    find_node,
    find_term,
    list_children,
    read_draft,
)
from segments.editing import check_rule, save_segment
from segments.explain import preview_rule
from segments.models import Segment
from segments.rules.describe import describe

SAVE = "save"
FROM_JSON = "json"


def show_editor(
    request: HttpRequest, admin: ModelAdmin, segment: Segment | None
) -> HttpResponse:
    """The whole page; after a deed, to htmx, the builder alone."""
    fault: RuleError | None = None
    deed = request.POST.get("do", "")
    try:
        root = read_posted_rule(request, segment)
        if deed == SAVE:
            return save_edit(request, segment, root)
    except RuleError as error:
        fault, root = error, read_draft(request.POST)
    if request.method == "POST" and deed not in (SAVE, FROM_JSON):
        root = apply_deed(root, deed)
    context = build_context(request, segment, root, fault)
    if request.htmx:  # type: ignore[attr-defined]
        answer = render(request, "segments/_builder.html", context)
        answer["HX-Trigger-After-Swap"] = "rule-changed"
        return answer
    context.update(admin.admin_site.each_context(request))
    context.update(
        opts=Segment._meta,
        title=segment.name if segment else "New segment",
        object=segment,
        may_delete=admin.has_delete_permission(request, segment),
        preview=build_preview(root, slug=segment.slug if segment else ""),
    )
    return render(request, "segments/editor.html", context)


def read_posted_rule(request: HttpRequest, segment: Segment | None) -> Node:
    """The root node: from the form, from pasted JSON, or as it is stored."""
    if request.method == "POST":
        if request.POST.get("do") == FROM_JSON:
            return read_pasted_rule(request.POST.get("json", ""), segment)
        return read_draft(request.POST)
    if segment is None or segment.current_version is None:
        return read_draft(request.POST)
    return wrap_root(segment.current_version.rule["root"])


def read_pasted_rule(text: str, segment: Segment | None) -> Node:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RuleError("json", "json", f"is not JSON: {error}"[:200]) from error
    check_rule(data, slug=segment.slug if segment else "")
    return wrap_root(data["root"])


def wrap_root(node: Node) -> Node:
    """The editor's root is a group."""
    return node if list_children(node) is not None else {"all": [node]}


def save_edit(
    request: HttpRequest, segment: Segment | None, root: Node
) -> HttpResponse:
    saved = save_segment(
        name=request.POST.get("name", ""),
        description=request.POST.get("description", ""),
        kind=request.POST.get("kind") or Segment.Kind.DYNAMIC,
        rule={"version": 1, "root": root},
        actor=request.user,
        segment=segment,
    )
    messages.success(request, f"“{saved.name}” is saved.")
    url = reverse("admin:segments_segment_change", args=[saved.pk])
    if request.htmx:  # type: ignore[attr-defined]
        answer = HttpResponse(status=204)
        answer["HX-Redirect"] = url
        return answer
    return HttpResponseRedirect(url)


def build_context(
    request: HttpRequest, segment: Segment | None, root: Node, fault: RuleError | None
) -> dict[str, Any]:
    suggestions = gather_suggestions(root)
    rule = {"version": 1, "root": root}
    posted = request.POST
    return {
        "segment": segment,
        "name": posted.get("name", segment.name if segment else ""),
        "description": posted.get(
            "description", segment.description if segment else ""
        ),
        "kinds": Segment.Kind.choices,
        "kind": posted.get("kind", segment.kind if segment else Segment.Kind.DYNAMIC),
        "root": build_editor(root, suggestions),
        "suggestions": suggestions,
        "rule_json": posted.get("json")
        if fault and fault.path == "json"
        else json.dumps(rule, indent=2, ensure_ascii=False),
        "fault": fault,
        "fault_key": find_key(fault.path)[0] if fault else "",
        "fault_text": show_fault(fault, root) if fault else "",
    }


def show_fault(fault: RuleError, root: Node) -> str:
    """The fault as the person who edits reads it: the field by its label."""
    key, rest = find_key(fault.path)
    node = find_node(root, key)
    term = find_term(node.get("type")) if node else None
    labels = {one.path: one.label for one in term.inputs} if term else {}
    plain = rest.replace(".", " ").replace("_", " ").capitalize()
    name = f"“{labels[rest]}”" if rest in labels else plain
    name = "This" if rest == FROM_JSON else name or "This condition"
    return f"{name} {fault.message}."


def gather_suggestions(root: Node) -> dict[str, Any]:
    names, traits = set[str](), set[str]()
    stack = [root]
    while stack:
        node = stack.pop()
        stack += list_children(node) or []
        names.add(str(node.get("name", "")))
        traits.add(str(node.get("trait", "")))
    found: dict[str, Any] = {
        "events": suggest_events(),
        "traits": suggest_traits(),
        "properties": suggest_properties(names - {""}),
        "segments": list(Segment.objects.values_list("slug", flat=True)[:200]),
    }
    for trait in traits - {""}:
        found[f"values:{trait}"] = suggest_values(trait)
    return found


def show_preview(request: HttpRequest, segment: Segment | None) -> HttpResponse:
    """Size, sample and summary of the rule in the form, saved or not."""
    preview = build_preview(
        read_draft(request.POST), slug=segment.slug if segment else ""
    )
    return render(request, "segments/_preview.html", {"preview": preview})


def build_preview(root: Node, *, slug: str) -> dict[str, Any]:
    try:
        rule = check_rule({"version": 1, "root": root}, slug=slug)
    except RuleError as error:
        return {"fault": show_fault(error, root)}
    found = preview_rule(rule, at=read_clock())
    return {"summary": describe(rule), "found": found}
