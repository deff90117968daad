"""The editor's pages: build a rule, see who it finds, save it.

Each page works as plain form posts; htmx only fetches less of it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from crm.clock import read_clock
from crm.facts.suggestions import (
    suggest_events,
    suggest_filters,
    suggest_properties,
    suggest_property_values,
    suggest_traits,
    suggest_values,
)
from crm.ports.facts import RuleError, read_names
from segments.admin.cards import Cards, list_filtered
from segments.admin.draft import (
    ROOT,
    Fields,
    Node,
    build_editor,
    find_key,
    find_node,
    find_term,
    list_children,
    read_draft,
)
from segments.admin.pages import describe_page
from segments.editing import ConfirmationNeeded, check_rule, save_segment
from segments.explain import preview_rule
from segments.models import Segment
from segments.rules.describe import describe
from segments.sentences import read_sentence

SAVE = "save"
FROM_JSON = "json"
FROM_WORDS = "words"
SHOW = "show"
# Values are suggested for as many properties: each is a query.
FILTERS_MAX = 10
# A rule of the most nodes is far smaller.
FILE_MAX = 1_000_000


def show_editor(
    request: HttpRequest, admin: ModelAdmin, segment: Segment | None
) -> HttpResponse:
    """The whole page; after a deed, to htmx, the builder alone."""
    fault: RuleError | None = None
    asked: ConfirmationNeeded | None = None
    deed = read_deed(request)
    try:
        root = read_posted_rule(request, segment)
        if deed == SAVE:
            return save_edit(request, segment, root)
    except RuleError as error:
        fault, root = error, read_draft(request.POST)
    except ConfirmationNeeded as error:
        asked = error
    words = read_sentence(request.POST.get("words", "")) if deed == FROM_WORDS else None
    root = wrap_root(words.root) if words and words.root else root
    cards = Cards(root, ROOT, read_posted_cards(request))
    if request.method == "POST" and deed not in (SAVE, FROM_JSON, FROM_WORDS):
        cards.apply(deed)
    context = build_context(request, segment, cards, fault)
    context["words"] = words
    if request.htmx:  # type: ignore[attr-defined]
        answer = render(request, "segments/_builder.html", context)
        answer["HX-Trigger-After-Swap"] = "rule-changed"
        return answer
    context.update(admin.admin_site.each_context(request))
    context.update(describe_frame(admin, request, segment), asked=asked)
    context["preview"] = build_preview(root, slug=segment.slug if segment else "")
    return render(request, "segments/editor.html", context)


def read_deed(request: HttpRequest) -> str:
    """The button that was pressed; Enter behind new words means those words."""
    deed, said = request.POST.get("do", ""), request.POST.get("words", "")
    is_new = said.strip() and said != request.POST.get("words_before", "")
    return FROM_WORDS if deed == SHOW and is_new else deed


def describe_frame(
    admin: ModelAdmin, request: HttpRequest, segment: Segment | None
) -> dict[str, Any]:
    """What stands around the editor: a segment's head and tabs, or a plain title."""
    if segment:
        return describe_page(admin, request, segment, "change")
    context = admin.admin_site.each_context(request)
    return {**context, "opts": Segment._meta, "title": "New segment"}


def read_posted_cards(request: HttpRequest) -> Fields | None:
    """The form that says which cards are folded; none where the rule comes whole."""
    is_whole = read_deed(request) in (FROM_JSON, FROM_WORDS)
    is_form = request.method == "POST" and not is_whole
    return request.POST if is_form else None


def read_posted_rule(request: HttpRequest, segment: Segment | None) -> Node:
    """The root node: from the form, from pasted JSON, or as it is stored."""
    if request.method == "POST":
        if request.POST.get("do") == FROM_JSON:
            return read_pasted_rule(request, segment)
        return read_draft(request.POST)
    if segment is None or segment.current_version is None:
        return read_draft(request.POST)
    return wrap_root(segment.current_version.rule["root"])


def read_pasted_rule(request: HttpRequest, segment: Segment | None) -> Node:
    """The rule of a file, or pasted: alone, or in what Export wrote."""
    file = request.FILES.get("file")
    text: str | bytes = request.POST.get("json", "")
    if file is not None:
        text = file.read(FILE_MAX + 1)
        if len(text) > FILE_MAX:
            raise RuleError("json", "too_big", f"is larger than {FILE_MAX:,} bytes")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RuleError("json", "json", f"is not JSON: {error}"[:200]) from error
    if isinstance(data, dict) and "rule" in data:
        data = data["rule"]
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
        confirmed=request.POST.get("confirm") == "yes",
    )
    messages.success(request, f"“{saved.name}” is saved.")
    url = reverse("admin:segments_segment_change", args=[saved.pk])
    if request.htmx:  # type: ignore[attr-defined]
        answer = HttpResponse(status=204)
        answer["HX-Redirect"] = url
        return answer
    return HttpResponseRedirect(url)


def build_context(
    request: HttpRequest,
    segment: Segment | None,
    cards: Cards,
    fault: RuleError | None,
) -> dict[str, Any]:
    root = cards.root
    suggestions = gather_suggestions(root)
    # What was pasted is not the tree that is shown: its faults stand beside its text.
    is_json_wrong = fault is not None and read_deed(request) == FROM_JSON
    fault_key = find_key(fault.path)[0] if fault and not is_json_wrong else ""
    rule = {"version": 1, "root": root}
    posted = request.POST
    return {
        **describe_typed(posted, segment),
        "root": cards.dress(build_editor(root, suggestions), fault_key),
        "focus": f"{fault_key}.type" if fault_key else cards.focus,
        "suggestions": suggestions,
        "rule_json": posted.get("json", "")
        if is_json_wrong
        else json.dumps(rule, indent=2, ensure_ascii=False),
        "is_json_wrong": is_json_wrong,
        "said": posted.get("words", ""),
        "fault": fault,
        "fault_key": fault_key,
        "fault_text": word_fault(fault, root, is_json=is_json_wrong),
    }


def describe_typed(posted: Fields, segment: Segment | None) -> dict[str, Any]:
    """What it is called, as typed, else as it is stored."""
    row = segment or Segment(kind=Segment.Kind.DYNAMIC)
    return {
        "segment": segment,
        "name": posted.get("name", row.name),
        "description": posted.get("description", row.description),
        "kinds": Segment.Kind.choices,
        "kind": posted.get("kind", row.kind),
    }


def word_fault(fault: RuleError | None, root: Node, *, is_json: bool) -> str:
    """The fault in words; of pasted JSON, by its path."""
    if fault is None:
        return ""
    in_text = is_json and fault.path != FROM_JSON
    return f"{fault}." if in_text else show_fault(fault, root)


def show_fault(fault: RuleError, root: Node) -> str:
    """The fault as the person who edits reads it: the field by its label."""
    key, rest = find_key(fault.path)
    node = find_node(root, key)
    term = find_term(node.get("type")) if node else None
    labels = {one.path: one.label for one in term.inputs} if term else {}
    numbered = re.sub(r"\[(\d+)\]", lambda found: f" {int(found[1]) + 1}", rest)
    plain = numbered.replace(".", " ").replace("_", " ").capitalize()
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
    properties = suggest_properties(names - {""})
    found: dict[str, Any] = {
        "events": suggest_events(),
        "traits": suggest_traits(),
        "properties": properties,
        "filters": suggest_filters(properties),
        "segments": list(Segment.objects.values_list("slug", flat=True)[:200]),
        "campaigns": list(read_names("campaigns").values()),
        "topics": list(read_names("topics").values()),
    }
    for trait in traits - {""}:
        found[f"values:{trait}"] = suggest_values(trait)
    found["filtered"] = gather_filtered(root)
    return found


def gather_filtered(root: Node) -> dict[str, list[str]]:
    """Values seen of the properties that filters ask for, by property."""
    pairs = dict.fromkeys(list_filtered(root, ROOT))
    found: dict[str, list[str]] = {}
    for name, key in list(pairs)[:FILTERS_MAX]:
        if name and key and key not in found:
            found[key] = suggest_property_values(name, key)
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
