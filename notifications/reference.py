"""docs/reference.md, written from the code: settings, states, reasons, figures.

A test fails where the file and the code disagree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from notifications.analytics.definitions import DEFINITIONS
from notifications.models import Attempt, Delivery
from notifications.reasons import Reason

HEAD: Final = """\
# Reference

Written by `python3 manage.py write_reference` from the code; a test fails when it is
stale. How to use the settings: [operations.md](operations.md).
"""
# What reads a knob from the environment, and what it makes of it.
READERS: Final[Mapping[str, str]] = {
    "env.bool": "yes or no",
    "env.int": "number",
    "env.list": "list",
    "env.str": "text",
    "read_broker": "secret address",
    "read_choice": "choice",
    "read_days": "days",
    "read_fernet_keys": "secret keys",
    "read_positive": "number ≥ 1",
    "read_required": "secret",
    "read_secret": "secret",
}
DELIVERY_MEANING: Final[Mapping[str, str]] = {
    Delivery.State.PENDING: "Waits for its time, or for a worker.",
    Delivery.State.CLAIMED: "A worker has it in hand; nothing was posted yet.",
    Delivery.State.SENDING: "The gate let it through: a POST is, or may be, under way.",
    Delivery.State.SENT: "The provider took it for at least one device.",
    Delivery.State.SKIPPED: "A rule of consent or pressure said no, for the reason.",
    Delivery.State.FAILED: "It could not be written, or was refused.",
    Delivery.State.UNKNOWN: "Posted without an answer, and not sent again. A device's "
    "report makes it sent.",
    Delivery.State.EXPIRED: "Its time had passed before its turn.",
    Delivery.State.CANCELLED: "It was no longer true, or no longer wanted.",
    Delivery.State.HELD_OUT: "Kept without the message, for comparison.",
    Delivery.State.QUARANTINED: "Set aside after three crashes; staff may return it.",
}
ATTEMPT_MEANING: Final[Mapping[str, str]] = {
    Attempt.State.SENDING: "Written by the gate, before the POST.",
    Attempt.State.SENT: "The provider took it.",
    Attempt.State.DEAD_ADDRESS: "The provider says that the app is gone from there.",
    Attempt.State.FAILED: "The provider did not take it.",
    Attempt.State.UNKNOWN: "No answer, or none that can be read.",
}


@dataclass(frozen=True, slots=True)
class Knob:
    """A setting read from the environment. `section` is its heading there."""

    name: str
    section: str
    kind: str
    default: str
    note: str


def write_reference(settings_source: str) -> str:
    """The whole file; `settings_source` is the text of crm/settings.py."""
    return "\n".join(
        [
            HEAD,
            *_tell_settings(list_knobs(settings_source)),
            *_tell_states(),
            *_tell_reasons(),
            *_tell_figures(),
        ]
    )


def list_knobs(source: str) -> list[Knob]:
    """Every knob, in the order of the file."""
    lines = source.splitlines()
    knobs: dict[str, Knob] = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            continue
        above = lines[: statement.lineno - 1]
        for call in _find_reads(statement):
            name = ast.literal_eval(call.args[0])
            kind = READERS[ast.unparse(call.func)]
            default = _show_default(call)
            section, note = _find_section(above), _find_note(above)
            knobs.setdefault(name, Knob(name, section, kind, default, note))
    return list(knobs.values())


def _find_reads(statement: ast.stmt) -> Iterator[ast.Call]:
    for node in ast.walk(statement):
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in READERS
            and isinstance(node.args[0], ast.Constant)
        ):
            yield node


def _find_section(above: list[str]) -> str:
    headings = (line for line in reversed(above) if line.startswith("# --- "))
    return next(headings, "").strip("# -")


def _find_note(above: list[str]) -> str:
    """The comment that stands directly above."""
    note: list[str] = []
    for line in reversed(above):
        if not line.startswith("# ") or line.startswith("# ---"):
            break
        note.insert(0, line[2:])
    return " ".join(note)


def _show_default(call: ast.Call) -> str:
    given = [k.value for k in call.keywords if k.arg == "default"] or call.args[1:]
    if not given:
        return "`pgmq://`" if ast.unparse(call.func) == "read_broker" else ""
    shown = given[-1]
    if ast.unparse(shown).startswith("_generated."):
        return "made once"
    return _show_value(shown)


def _show_value(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=bool(switch)):
            return f"`{int(switch)}`"
        case ast.Constant(value=""):
            return ""
        case ast.Constant(value=str(text)):
            return f"`{text}`"
        # 32 * 1024 says more in the settings than in a table.
        case ast.BinOp(ast.Constant(int(a)), ast.Mult(), ast.Constant(int(b))):
            return f"`{a * b}`"
        case ast.List(items):
            return ", ".join(_show_value(item) for item in items)
        case ast.Call(ast.Name("str"), [path]):
            return f"`{ast.unparse(path)}`"
        case _:
            return f"`{ast.unparse(node)}`"


def _tell_settings(knobs: Iterable[Knob]) -> list[str]:
    told = [
        "## Settings",
        "",
        "A secret may also be given as `NAME_FILE`, the path of a file that holds it. "
        "A wrong value stops the start.",
    ]
    section = None
    for knob in knobs:
        if knob.section != section:
            section = knob.section
            told += ["", f"### {section}", "", *_head("Name", "Takes", "Default", "")]
        told.append(_row(f"`{knob.name}`", knob.kind, knob.default, knob.note))
    return [*told, ""]


def _tell_states() -> list[str]:
    told = [
        "## States of a message",
        "",
        "One message to one person. Ends are final, but for two edges: maybe "
        "delivered → sent, by a device's report; quarantined → pending, by staff.",
        "",
        *_head("State", "Shown as", "End", "Meaning"),
    ]
    for state in Delivery.State:
        end = "yes" if state in Delivery.FINAL else ""
        meaning = DELIVERY_MEANING[state]
        told.append(_row(f"`{state}`", str(state.label), end, meaning))
    told += ["", "## States of an attempt", "", "One POST to one device.", ""]
    told += _head("State", "Shown as", "Counts in caps", "Meaning")
    for tried in Attempt.State:
        counts = "yes" if tried in Attempt.COUNTING else ""
        meaning = ATTEMPT_MEANING[tried]
        told.append(_row(f"`{tried}`", str(tried.label), counts, meaning))
    return [*told, ""]


def _tell_reasons() -> list[str]:
    return [
        "## Reasons",
        "",
        "Why a message was not sent, or not yet. A report counts it at the first rung.",
        "",
        *_head("Reason", "In words", "Rungs", "What staff read"),
        *(_row(f"`{r}`", r.words, ", ".join(r.rungs), r.sentence) for r in Reason),
        "",
    ]


def _tell_figures() -> list[str]:
    return [
        "## Figures",
        "",
        "All counts are of messages to people: one person and one message is one, "
        "however many devices it went to. Test sends never count.",
        "",
        *_head("Name", "Shown as", "What", "Of", "Window", "Note"),
        *(
            _row(f"`{name}`", d.label, d.numerator, d.denominator, d.window, d.note)
            for name, d in DEFINITIONS.items()
        ),
        "",
    ]


def _head(*names: str) -> list[str]:
    return [_row(*names), "|" + " --- |" * len(names)]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
