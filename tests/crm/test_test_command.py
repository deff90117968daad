from __future__ import annotations

import os

import pytest

from crm.management.commands.test import count_cores, translate

CORES = str(count_cores())


@pytest.mark.parametrize(
    ("_case", "given", "expected"),
    [
        ("nothing: all on all cores", [], ["-n", CORES]),
        ("a part", ["tests/crm", "-k", "x"], ["-n", CORES, "tests/crm", "-k", "x"]),
        ("the slow ones too", ["--slow"], ["-n", CORES, "-m", "not full"]),
        ("everything", ["--full"], ["-n", CORES, "-m", ""]),
        ("a chosen number of processes", ["-n0", "tests"], ["-n0", "tests"]),
        ("a debugger needs one process", ["--pdb"], ["--pdb"]),
    ],
)
def test_arguments_become_pytests(
    _case: str, given: list[str], expected: list[str]
) -> None:
    assert translate(given) == expected


def test_cores_are_those_this_process_may_use() -> None:
    assert 1 <= count_cores() <= (os.cpu_count() or 1)
