"""The stages being edited: one tree of condition cards, a branch for each stage.

The tree is `{"all": [stage, …]}` under the key `r`, so that the cards of the segment
editor serve it as they are. A stage is a group that says its key, its label and the
words it was asked in besides, and takes them along where it is moved.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm.ports.facts import RuleError
from segments.admin.cards import Cards
from segments.admin.draft import (
    MODES,
    ROOT,
    Fields,
    Node,
    build_editor,
    find_key,
    list_children,
    make_blank,
    read_draft,
)
from segments.admin.editor import show_fault, wrap_root
from segments.rules.stages import STAGES_MAX, Stage, read_stages
from segments.rules.validate import NODES_MAX

ADD: Final = f"stage:{ROOT}"
# Stages ask for neither, so that the cards do not offer them.
UNASKED: Final = frozenset({"segment", "lifecycle"})
ABOUT: Final = ("key", "label", "said")
# One stage more than may be, each of one node more than a rule may have.
NODES_ALL: Final = 1 + (STAGES_MAX + 1) * (NODES_MAX + 1)
STAGE_KEY: Final = re.compile(rf"^{ROOT}-(\d+)$")
FAULT_PATH: Final = re.compile(r"^stages\[(\d+)\](?:\.rule)?\.?(.*)$")


@dataclass(frozen=True, slots=True)
class StageFault:
    """What is wrong, in words that name the stage, and where it is shown.

    `key` is the card's; `place` the stage's, from 0, where the fault is of the stage
    itself; with neither it is of them all.
    """

    text: str
    key: str = ""
    place: int | None = None


def read_tree(fields: Fields) -> Node:
    """The stages in the form's fields, as they were typed."""
    is_form = f"{ROOT}.mode" in fields
    tree = read_draft(fields, nodes_max=NODES_ALL) if is_form else {}
    stages = [wrap_root(child) for child in list_children(tree) or ()]
    for n, stage in enumerate(stages):
        stage |= {name: fields.get(f"{ROOT}-{n}.{name}", "") for name in ABOUT}
    return {"all": stages[: STAGES_MAX + 1]}


def grow_tree(stages: Sequence[Mapping[str, Any]]) -> Node:
    """The tree of stages that `read_stages` takes."""
    return {
        "all": [
            {
                **wrap_root(one["rule"]["root"]),
                "key": one["key"],
                "label": one["label"],
                "said": "",
            }
            for one in stages
        ]
    }


def write_stages(tree: Node, *, wrapped: bool = False) -> list[dict[str, Any]]:
    """The JSON of the tree; a new stage gets its key from its label.

    A stage of one condition is that condition, unless it is to stay `wrapped` as it
    stands in the form, where faults are looked for.
    """
    taken = {stage["key"] for stage in tree["all"]}
    found = []
    for n, stage in enumerate(tree["all"], start=1):
        key = stage["key"] or make_key(stage["label"], n, taken)
        taken.add(key)
        root = {mode: stage[mode] for mode in MODES if mode in stage}
        inside = stage.get("all", ())
        if len(inside) == 1 and list_children(inside[0]) is None and not wrapped:
            root = inside[0]
        rule = {"version": 1, "root": root}
        found.append({"key": key, "label": stage["label"].strip(), "rule": rule})
    return found


def make_key(label: str, number: int, taken: set[str]) -> str:
    """“Sleeping beauties” is sleeping_beauties; one that is taken gets a number."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:40].strip("_")
    key = words if words[:1].isalpha() else f"stage_{words or number}"
    tries = [key, *(f"{key}_{n}" for n in range(2, STAGES_MAX + 3))]
    return next(one for one in tries if one not in taken)


def check_tree(tree: Node) -> tuple[Stage, ...]:
    """The stages, or RuleError whose path `tell_fault` understands."""
    return read_stages(write_stages(tree, wrapped=True))


def tell_fault(error: RuleError, tree: Node) -> StageFault:
    """The fault as the person who edits reads it: stage and field by their names."""
    found = FAULT_PATH.match(error.path)
    if found is None:
        return StageFault(f"There {error.message}.")
    n, rest = int(found[1]), found[2]
    stage = tree["all"][n] if n < len(tree["all"]) else {}
    name = stage.get("label") or stage.get("key")
    head = f"Stage {n + 1}, “{name}”" if name else f"Stage {n + 1}"
    if not rest.startswith("root"):
        what = {"label": "its name", "key": "its key"}.get(rest, rest)
        return StageFault(f"{head}: {what} {error.message}.", place=n)
    key, inner = find_key(rest)
    if key == ROOT and inner in ("", *MODES):
        return StageFault(f"{head}: its rule {error.message}.", place=n)
    words = show_fault(RuleError(rest, error.code, error.message), stage)
    return StageFault(f"{head}: {words}", f"{ROOT}-{n}{key.removeprefix(ROOT)}")


def apply_stage_deed(cards: Cards, deed: str) -> None:
    """A button of the form: of a stage, or of a card within its own stage."""
    verb, _, rest = deed.partition(":")
    key = rest.partition(":")[0]
    stages = cards.root["all"]
    if deed == ADD:
        _add_stage(cards, stages)
    elif STAGE_KEY.match(key) and verb in ("into", "out", "copy"):
        return
    elif verb == "out" and key.count("-") < 3:
        # It would become a stage.
        return
    elif key != ROOT:
        cards.apply(deed)
        if verb == "remove" and STAGE_KEY.match(key):
            cards.focus = f"do-{ADD}"


def _add_stage(cards: Cards, stages: list[Node]) -> None:
    """Before a last one that takes everybody else, or nobody would ever be in it."""
    if len(stages) >= STAGES_MAX:
        return
    inside: list[Node] = stages[-1].get("all", []) if stages else []
    takes_rest = len(inside) == 1 and inside[0].get("type") == "everyone"
    place = len(stages) - 1 if takes_rest else len(stages)
    blank = {"all": [make_blank("event")], "key": "", "label": "", "said": ""}
    stages.insert(place, blank)
    cards.focus = f"{ROOT}-{place}.label"


def show_tree(cards: Cards, suggestions: Any, fault_key: str) -> list[dict[str, Any]]:
    """Each stage as its template wants it, with the tree of its cards."""
    view = cards.dress(build_editor(cards.root, suggestions), fault_key)
    stages = zip(view["children"], cards.root["all"], strict=True)
    return [
        {
            "key": f"{ROOT}-{n}",
            "number": n + 1,
            "is_next": cards.focus == f"{ROOT}-{n}.label",
            "about": {name: stage[name] for name in ABOUT},
            # What the names of its buttons say besides, to who does not see it.
            "named": {"sentence": stage["label"]},
            "node": leave_unasked({**branch, "is_root": True}),
        }
        for n, (branch, stage) in enumerate(stages)
    ]


def leave_unasked(view: dict[str, Any]) -> dict[str, Any]:
    """Offer no kind of condition that stages may not ask; one that is said stays."""
    for child in view.get("children", ()):
        leave_unasked(child)
    if "terms" in view:
        said = view["kind"]
        view["terms"] = [
            term for term in view["terms"] if term[0] not in UNASKED or term[0] == said
        ]
    return view
