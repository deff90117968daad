"""Tasks are doorbells; what they may not do is end a batch in its middle."""

from __future__ import annotations

from typing import Any

import pytest

from notifications import tasks
from notifications.delivery.send import POST_DEADLINE_S


@pytest.mark.parametrize("task", [tasks.process_events, tasks.send_deliveries])
def test_a_task_has_time_for_a_batch_begun_at_the_end_of_its_budget(
    task: Any,
) -> None:
    assert task.soft_time_limit > tasks.BUDGET_S + 2 * POST_DEADLINE_S
    assert task.time_limit > task.soft_time_limit


def test_a_tick_has_time_to_plan_a_million() -> None:
    assert tasks.tick.soft_time_limit >= 600
