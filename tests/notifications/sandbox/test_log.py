"""The log is read from its end, whatever its size and whatever a crash left."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from notifications.sandbox import log as sandbox_log
from notifications.sandbox.log import SandboxLog, find_end, read_newest


def fill_log(path: Path, count: int, *, address: str = "") -> None:
    log = SandboxLog(path)
    for number in range(count):
        body = json.dumps({"message": {"data": {"n": str(number)}, "pad": "x" * 200}})
        log.append(
            at=float(number),
            project="p",
            name=f"n{number}",
            address=address or f"phone-{number % 3}",
            request=body.encode(),
        )
    log.close()


def read_names(path: Path, **options: object) -> list[str]:
    entries = read_newest(path, **({"limit": 1000} | options))  # type: ignore[arg-type]
    return [entry.name for entry in entries]


def test_without_a_log_there_is_nothing(tmp_path: Path) -> None:
    assert read_newest(tmp_path / "none", limit=5) == []
    assert find_end(tmp_path / "none") == 0


@pytest.mark.parametrize("block_bytes", [7, 64, 300, 65_536])
def test_newest_first_across_any_block_size(
    block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_log, "BLOCK_BYTES", block_bytes)
    path = tmp_path / "log"
    fill_log(path, 12)
    assert read_names(path) == [f"n{number}" for number in reversed(range(12))]
    assert read_names(path, limit=2) == ["n11", "n10"]


def test_positions_say_where_to_go_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    fill_log(path, 5)
    entries = read_newest(path, limit=10)
    assert entries[0].position == find_end(path)
    assert read_names(path, after=entries[2].position) == ["n4", "n3"]
    assert read_names(path, after=find_end(path)) == []


def test_one_device_is_picked_by_its_whole_address(tmp_path: Path) -> None:
    path = tmp_path / "log"
    fill_log(path, 6)
    assert read_names(path, address="phone-1") == ["n4", "n1"]
    assert read_names(path, address="phone") == []


def test_a_line_cut_short_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    fill_log(path, 2)
    with path.open("ab") as file:
        file.write(b'{"at": 3, "name": "n')
    assert read_names(path) == ["n1", "n0"]
    with path.open("ab") as file:
        file.write(b"\n[]\nnull\n")
    assert read_names(path) == ["n1", "n0"]


def test_a_big_log_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    fill_log(path, 200)
    names = read_names(path, most_bytes=3_000, address="")
    assert 5 <= len(names) <= 12
    assert names[0] == "n199"


def test_two_writers_never_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    children = []
    for child in range(3):
        pid = os.fork()
        if pid == 0:
            fill_log(path, 200, address=f"writer-{child}")
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    assert len(read_names(path)) == 600
