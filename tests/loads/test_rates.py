"""L1, L2 and L3: a steady rate of single events, of batches, and of bad batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.loads.machine import MachineWatch
from tests.loads.run import BATCH, LASTING_S, check_latency, make_stream, send_all, tell
from tests.loads.site import MemoryWatch, Site, run_site
from tests.loads.stream import (
    encode_batch,
    encode_single,
    split_evenly,
    split_with_faults,
)
from tests.loads.world import check_effects, make_live, wait_until_worked_on

# By hand until L1 holds: with the machine to itself, as `--full` wants it.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.full,
    pytest.mark.django_db(transaction=True),
]
Split = Callable[[int, int], Iterator[Sequence[int]]]


@pytest.fixture
def site(transactional_db: None, tmp_path: Path) -> Iterator[Site]:
    with run_site(tmp_path) as site:
        yield site


@pytest.mark.parametrize("lasting_s", LASTING_S)
def test_l1_single_events_at_300_a_second(site: Site, lasting_s: int) -> None:
    live, stream = make_live(), make_stream(300 * lasting_s)
    calls = (partial(encode_single, stream, number) for number in range(stream.count))
    with MachineWatch(site.list_groups()) as machine:
        summary = send_all(site, calls, rate_per_s=300)
    drained_s = wait_until_worked_on()
    tell("L1", summary, f"drained in {drained_s:.1f} s", machine)
    assert summary.statuses == {200: stream.count}
    assert (summary.accepted, summary.duplicates) == (stream.count, 0)
    check_effects(stream, *live)
    check_latency(summary, machine, p99_ms=250)


@pytest.mark.parametrize("lasting_s", LASTING_S)
@pytest.mark.parametrize(
    "split",
    [
        pytest.param(split_evenly, id="l2"),
        pytest.param(split_with_faults, id="l3 repeats and late ones"),
    ],
)
def test_batches_at_2000_events_a_second(
    site: Site, split: Split, lasting_s: int
) -> None:
    live, stream = make_live(), make_stream(2_000 * lasting_s)
    batches = list(split(stream.count, BATCH))
    calls = (partial(encode_batch, stream, numbers) for numbers in batches)
    with (
        MachineWatch(site.list_groups()) as machine,
        MemoryWatch(site.list_web()) as memory,
    ):
        summary = send_all(site, calls, rate_per_s=2_000 / BATCH)
    slope = memory.find_slope_mb_min()
    drained_s = wait_until_worked_on()
    grown = f"{slope:.1f} MB/min, drained in {drained_s:.1f} s"
    tell(f"L2/L3 {split.__name__}", summary, grown, machine)
    assert summary.statuses == {200: len(batches)}
    repeats = sum(map(len, batches)) - stream.count
    assert (summary.accepted, summary.duplicates) == (stream.count, repeats)
    check_effects(stream, *live)
    assert slope < 5
    check_latency(summary, machine, p99_ms=300)


def test_the_faulty_stream_has_its_faults() -> None:
    batches = list(split_with_faults(10_000, BATCH))
    numbers = [number for batch in batches for number in batch]
    assert set(numbers) == set(range(10_000))
    assert len(numbers) == 11_000
    places = {number: place for place, number in reversed(list(enumerate(numbers)))}
    late = sum(places[n] > places[n + 1] for n in range(0, 9_999))
    assert late > 10
