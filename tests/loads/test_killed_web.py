"""F3: the web processes are killed, one by one and all at once, under L2's load."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.loads.run import BATCH, LASTING_S, make_stream, prepare_load, tell
from tests.loads.sender import CUT, Answer, summarize
from tests.loads.site import Site, run_site
from tests.loads.stream import encode_batch, split_evenly
from tests.loads.world import check_effects, make_live, wait_until_worked_on

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
# Between two kills so many calls are answered: a server that starts takes seconds.
KILL_EACH = 60
# Of so many kills one takes the whole server; else the leader makes a new process.
WHOLE_EACH = 4
KILLS_MIN = 6


@contextmanager
def killing(site: Site, answers: Sequence[Answer]) -> Iterator[list[int]]:
    """-9, again and again while it is open; yields the processes killed."""
    killed: list[int] = []
    done = threading.Event()

    def kill() -> None:
        for number in itertools.count(1):
            while len(answers) < number * KILL_EACH:
                if done.wait(0.02):
                    return
                # It gives up after crashes in a row; `up` and containers start it anew.
                if not site.world.is_alive("web"):
                    site.start_web()
            killed.append(kill_one(site, number))

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        done.set()
        thread.join()


def kill_one(site: Site, number: int) -> int:
    if number % WHOLE_EACH == 0:
        victim = site.leader
        site.world.kill("web")
        site.start_web()
        return victim
    processes = site.list_web() or [site.leader]
    victim = processes[number % len(processes)]
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    return victim


@pytest.mark.parametrize("lasting_s", LASTING_S)
def test_f3_a_killed_web_server_loses_nothing_that_it_accepted(
    transactional_db: None, tmp_path: Path, lasting_s: int
) -> None:
    live, stream = make_live(), make_stream(2_000 * lasting_s)
    batches = list(split_evenly(stream.count, BATCH))
    calls = (partial(encode_batch, stream, numbers) for numbers in batches)
    with run_site(tmp_path) as site:
        load = prepare_load(site, calls, rate_per_s=2_000 / BATCH, retrying=True)
        with killing(site, load.answers) as killed:
            summary = summarize(load.run())
        tell("F3", summary, f"{len(killed)} kills")
        wait_until_worked_on()
    assert len(set(killed)) >= KILLS_MIN
    assert set(summary.statuses) == {200, CUT}
    # Each batch was answered in the end. What a killed process had committed, but
    # not answered, came again, and was counted as what it is.
    assert summary.statuses[200] == len(batches)
    assert summary.accepted + summary.duplicates == stream.count
    check_effects(stream, *live)
