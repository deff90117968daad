"""List filters that ask no DISTINCT of a large table."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from notifications.models import Campaign, Delivery
from notifications.reasons import Reason

# Campaigns offered in the filter; any other can be asked for by its number.
CAMPAIGNS = 50


class ColumnFilter(SimpleListFilter):
    """Equality on one column, its choices known beforehand."""

    column = ""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        return queryset.filter(**{self.column: value}) if value else queryset


class StateFilter(ColumnFilter):
    title = "state"
    parameter_name = column = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Any]:
        return list(Delivery.State.choices)


class ReasonFilter(ColumnFilter):
    title = "reason"
    parameter_name = column = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Any]:
        return [(reason.value, reason.words) for reason in Reason]


class SourceFilter(ColumnFilter):
    title = "source"
    parameter_name = column = "source_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Any]:
        return list(Delivery.SourceKind.choices)


class CampaignFilter(ColumnFilter):
    title = "campaign"
    parameter_name = "campaign"
    column = "campaign_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Any]:
        rows = Campaign.objects.order_by("-pk").values_list("pk", "name")
        return [(str(pk), name) for pk, name in rows[:CAMPAIGNS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value and not (value.isascii() and value.isdigit() and len(value) < 18):
            return queryset.none()
        return super().queryset(request, queryset)
