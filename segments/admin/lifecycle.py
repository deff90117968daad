"""The lifecycle on one page: people per stage, their days and moves, and its editor.

The editor works as plain form posts; htmx only fetches less of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from crm.admin.charts import draw_days
from crm.bell import ring_on_commit
from crm.clock import read_clock
from crm.ports.facts import RuleError
from segments.admin.cards import Cards
from segments.admin.draft import ROOT, Fields, Node
from segments.admin.editor import gather_suggestions, wrap_root
from segments.admin.stage_form import (
    ADD,
    StageFault,
    apply_stage_deed,
    check_tree,
    grow_tree,
    read_tree,
    show_tree,
    tell_fault,
    write_stages,
)
from segments.deadline import TooSlow
from segments.lifecycle import StageInUse, save_stages
from segments.lifecycle_figures import (
    StageCount,
    count_moves,
    count_people,
    preview_stages,
    read_stage_days,
)
from segments.models import Lifecycle
from segments.rules.parse import Reading
from segments.rules.stages import SHIPPED, STAGES_MAX, read_stages
from segments.sentences import read_sentence

TEMPLATE = "segments/lifecycle.html"
PAGE = "admin:segments_lifecycle_changelist"
WEEKS = 8
PERIODS_DAYS = (30, 90)
FROM_JSON = "json"
PREVIEW = "preview"
SAVE = "save"
SHOW = "show"
WORDS = "words"


@admin.register(Lifecycle)
class LifecycleAdmin(ModelAdmin):
    empty_hint = "Save the stages that are shown, or your own, to begin."

    class Media:
        css = {"all": ("segments/segments.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.preview_view))
        return [
            path("preview/", view, name="segments_lifecycle_preview"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect(PAGE)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Who would be where with the form as it is, saved or not."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        preview = build_preview(read_tree(request.POST))
        return render(request, "segments/_stage_preview.html", {"preview": preview})

    def changelist_view(
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        """The page; after a deed, to htmx, the stages alone."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST" and not self.has_change_permission(request):
            raise PermissionDenied
        current = Lifecycle.objects.current()
        form = take_form(request, current)
        if form is None:
            return answer_saved(request)
        context = {
            "current": current,
            "may_change": self.has_change_permission(request),
            "stages_max": STAGES_MAX,
            "do_add": ADD,
            "root_key": ROOT,
            **form,
        }
        if request.htmx:  # type: ignore[attr-defined]
            answer = render(request, "segments/_stages.html", context)
            answer["HX-Trigger-After-Swap"] = "rule-changed"
            return answer
        context |= {
            **self.admin_site.each_context(request),
            **describe_figures(90 if request.GET.get("days") == "90" else 30),
            "opts": self.opts,
            "title": "Lifecycle",
        }
        return render(request, TEMPLATE, context)


def answer_saved(request: HttpRequest) -> HttpResponse:
    if request.htmx:  # type: ignore[attr-defined]
        answer = HttpResponse(status=204)
        answer["HX-Redirect"] = reverse(PAGE)
        return answer
    return redirect(PAGE)


def take_form(request: HttpRequest, current: Lifecycle | None) -> dict[str, Any] | None:
    """What the editor shows after its button; None once the stages are saved."""
    stored = grow_tree(current.stages if current else SHIPPED)
    if request.method != "POST":
        # Without stages there is nothing to compare with yet: say what these give.
        preview = None if current else build_preview(stored)
        return describe_form(Cards(stored, ROOT, None), preview=preview)
    deed, tree = find_deed(request), read_tree(request.POST)
    if deed == FROM_JSON:
        return take_json(request.POST, tree)
    verb, _, key = deed.partition(":")
    if verb == WORDS:
        return take_words(tree, key, request.POST)
    if deed == SAVE:
        return save_tree(request, tree)
    cards = Cards(tree, ROOT, request.POST)
    apply_stage_deed(cards, deed)
    return describe_form(
        cards, preview=build_preview(tree) if deed == PREVIEW else None
    )


def find_deed(request: HttpRequest) -> str:
    """The button that was pressed; Enter behind new words means those words."""
    deed = request.POST.get("do", "")
    for n in range(STAGES_MAX) if deed == SHOW else ():
        said = request.POST.get(f"{ROOT}-{n}.said", "").strip()
        if said and said != request.POST.get(f"{ROOT}-{n}.said_before", "").strip():
            return f"{WORDS}:{ROOT}-{n}"
    return deed


def take_json(fields: Fields, tree: Node) -> dict[str, Any]:
    """The stages of a pasted text in the form, which stays where the text is wrong."""
    text = fields.get("json", "")
    try:
        data = json.loads(text)
        read_stages(data)
    except RuleError as error:
        words = str(error)
    except (ValueError, RecursionError) as error:
        words = f"This is not JSON: {error}"[:200]
    else:
        grown = grow_tree(data)
        return describe_form(Cards(grown, ROOT, None), preview=build_preview(grown))
    form = describe_form(Cards(tree, ROOT, fields), fault=StageFault(words))
    return {**form, "json": text, "is_json_wrong": True}


def take_words(tree: Node, key: str, fields: Fields) -> dict[str, Any]:
    """A sentence as the rule of one stage; it stays as it is where nothing is known."""
    said = fields.get(f"{key}.said", "")
    words = read_sentence(said)
    numbers = {f"{ROOT}-{n}": n for n in range(len(tree["all"]))}
    if words.root and key in numbers:
        was = tree["all"][numbers[key]]
        about = {name: was[name] for name in ("key", "label", "said")}
        tree["all"][numbers[key]] = {**wrap_root(words.root), **about}
    return describe_form(Cards(tree, ROOT, fields), words=words, words_key=key)


def save_tree(request: HttpRequest, tree: Node) -> dict[str, Any] | None:
    """None once it is saved; else the form, with what is wrong or asked."""
    cards = Cards(tree, ROOT, request.POST)
    confirmed = request.POST.get("confirm") == "yes"
    try:
        check_tree(tree)
        save_stages(write_stages(tree), actor=request.user, confirmed=confirmed)
    except RuleError as error:
        fault = tell_fault(error, tree)
        if fault.place is not None:
            cards.focus = f"{ROOT}-{fault.place}.label"
        return describe_form(cards, fault=fault)
    except StageInUse as asked:
        form = describe_form(cards, preview=build_preview(tree))
        return {**form, "asked": asked}
    ring_on_commit(settings.TRAIT_BELL_TASK)
    messages.success(request, "Saved. Everybody is judged anew in the background.")
    return None


def describe_form(
    cards: Cards,
    *,
    fault: StageFault | None = None,
    words: Reading | None = None,
    words_key: str = "",
    preview: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The context of `_stages.html`, and the preview beside it."""
    suggestions = gather_suggestions(cards.root)
    fault_key = fault.key if fault else ""
    return {
        "stages": show_tree(cards, suggestions, fault_key),
        "suggestions": suggestions,
        "json": json.dumps(write_stages(cards.root), indent=2, ensure_ascii=False),
        "fault": fault,
        "fault_key": fault_key,
        "fault_text": fault.text if fault else "",
        "focus": f"{fault_key}.type" if fault_key else cards.focus,
        "words": words,
        "words_key": words_key,
        "preview": preview,
    }


def build_preview(tree: Node) -> dict[str, Any]:
    """People per stage if this were saved now, beside how many there are."""
    try:
        stages = check_tree(tree)
    except RuleError as error:
        return {"fault": tell_fault(error, tree).text}
    try:
        now = {one.key: one.size for one in count_people()}
    except TooSlow:
        now = {}
    found = preview_stages(stages, at=read_clock())
    return {"rows": [(one, now.get(one.key, 0)) for one in found], "has_now": bool(now)}


def describe_figures(days: int) -> dict[str, Any]:
    """People now, by day, and who moved; what took too long is left out and said."""
    context: dict[str, Any] = {"weeks": WEEKS, "days": days, "periods": PERIODS_DAYS}
    at = read_clock()
    try:
        context["people"] = count_people()
        context["chart"] = draw_stage_days(context["people"], days)
        context["moves"] = count_moves(now=at, weeks=WEEKS)
    except TooSlow:
        context["is_stopped"] = True
    return context


def draw_stage_days(people: Sequence[StageCount], days: int) -> dict[str, str]:
    found = read_stage_days(at=read_clock(), days=days) if people else None
    if found is None:
        return {}
    lines = [(one.label, one.colour, one.sizes) for one in found.lines]
    return draw_days(found.on, lines)
