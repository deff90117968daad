"""Doorbells: each task is one call, safe to run twice, and may be lost."""

from __future__ import annotations

from celery import shared_task

from crm.bell import ring
from crm.clock import read_clock
from notifications import pipeline
from notifications.delivery import retention
from notifications.delivery.send import send_due
from notifications.worker import ring_for_work

# A task ends well before the broker would think it lost; what is left is rung for
# again, or found by the next tick.
BUDGET_S = 40.0
# The last batch may begin at the end of the budget and has its own time then. Ended
# in the middle, its answers would be lost and its messages unknown.
SEND_LIMITS_S = {"soft_time_limit": 110, "time_limit": 120}
# Chunk by chunk; what is left is taken in the next hour.
FORGET_LIMITS_S = {"soft_time_limit": 600, "time_limit": 660}
# A run of a million people is one statement: ended early, it would never be planned.
TICK_LIMITS_S = {"soft_time_limit": 840, "time_limit": 900}


@shared_task(**SEND_LIMITS_S)
def process_events() -> None:
    """Take pending events in hand, ring for what they planned and what is left."""
    done = pipeline.process_pending(budget_s=BUDGET_S)
    if done.planned:
        ring("notifications.tasks.send_deliveries")
    if done.is_cut_short:
        ring("notifications.tasks.process_events")


@shared_task(**SEND_LIMITS_S)
def send_deliveries() -> None:
    """Send what is due; ring again where the budget ended before the work."""
    if send_due(budget_s=BUDGET_S):
        ring("notifications.tasks.send_deliveries")


@shared_task(**TICK_LIMITS_S)
def tick() -> None:
    """Do what time made due, then ring for what nobody rang for."""
    pipeline.tick()
    ring_for_work()


@shared_task(**FORGET_LIMITS_S)
def forget_texts() -> None:
    """Hourly: what people were shown is deleted after 90 days."""
    now = read_clock()
    retention.forget_texts(now=now)
    retention.forget_api_sends(now=now)
