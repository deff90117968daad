"""Intervals and crontabs of recurring campaigns, in unfold's look.

The fixed ticks of the product are shown too, for reading: all due work is in rows.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.decorators import display

from crm.admin.base import ReadOnlyAdmin

for model in (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
):
    admin.site.unregister(model)


class ScheduleAdmin(ModelAdmin):
    list_per_page = 50

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Campaigns share it: another time is another row.
        return obj is None and super().has_change_permission(request, obj)


@admin.register(IntervalSchedule)
class IntervalAdmin(ScheduleAdmin):
    list_display = ("__str__",)


@admin.register(CrontabSchedule)
class CrontabAdmin(ScheduleAdmin):
    list_display = ("shown_words", "shown_rule")
    fields = (("minute", "hour"), ("day_of_week", "day_of_month"), "month_of_year")

    @display(description="Runs")
    def shown_words(self, crontab: CrontabSchedule) -> str:
        return str(crontab.human_readable)

    @display(description="Crontab")
    def shown_rule(self, crontab: CrontabSchedule) -> str:
        return str(crontab).partition(" (")[0]


@admin.register(PeriodicTask)
class TickAdmin(ReadOnlyAdmin):
    list_display = ("name", "enabled", "interval", "last_run_at", "total_run_count")
    list_select_related = ("interval", "crontab")
    list_display_links = None
    search_fields = ("name",)
