"""Knobs read from the text of the settings."""

from __future__ import annotations

from notifications.reference import Knob, list_knobs

SOURCE = """
# --- Sending ---
FIRST = env.bool("FIRST", True)
# How long it waits.
# In seconds.
WAIT_S = read_positive("WAIT_S", 60 * 2)

def read_other(name):
    return env.str("NOT_A_KNOB", "")

# --- Places ---
HOSTS = env.list("HOSTS", default=["a", "b"])
PATH = Path(env.str("PATH", str(BASE_DIR / "var")))
ORDER = choose(env.str("ORDER", ""))
"""


def test_a_knob_carries_its_section_default_and_note() -> None:
    assert list_knobs(SOURCE) == [
        Knob("FIRST", "Sending", "yes or no", "`1`", ""),
        Knob(
            "WAIT_S", "Sending", "number ≥ 1", "`120`", "How long it waits. In seconds."
        ),
        Knob("HOSTS", "Places", "list", "`a`, `b`", ""),
        Knob("PATH", "Places", "text", "`BASE_DIR / 'var'`", ""),
        Knob("ORDER", "Places", "text", "", ""),
    ]


def test_a_knob_read_twice_is_one() -> None:
    assert len(list_knobs(SOURCE + 'AGAIN = env.bool("FIRST", True)\n')) == 5
