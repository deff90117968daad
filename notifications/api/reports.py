"""`/api/campaigns/{id}/report/`: the figures of one campaign as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from notifications.analytics.definitions import RATES


class RateOutput(serializers.Serializer):
    """A share with its 95 % interval; null where there is nothing to share."""

    numerator = serializers.IntegerField()
    denominator = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class RatesOutput(serializers.Serializer):
    """One field per rate of `analytics.definitions`."""

    def get_fields(self) -> dict[str, Any]:
        return {name: RateOutput() for name in RATES}


class ReasonOutput(serializers.Serializer):
    reason = serializers.CharField()
    sentence = serializers.CharField()
    count = serializers.IntegerField()


class RevenueOutput(serializers.Serializer):
    # '' where the events named none.
    currency = serializers.CharField(allow_blank=True)
    gross = serializers.DecimalField(max_digits=24, decimal_places=4)
    refunded = serializers.DecimalField(max_digits=24, decimal_places=4)
    # gross - refunded
    total = serializers.DecimalField(max_digits=24, decimal_places=4)
    conversions = serializers.IntegerField()
    per_send = serializers.DecimalField(
        max_digits=24, decimal_places=4, allow_null=True
    )
    per_delivered = serializers.DecimalField(
        max_digits=24, decimal_places=4, allow_null=True
    )


class DayOutput(serializers.Serializer):
    on = serializers.DateField()
    sent = serializers.IntegerField()
    opened = serializers.IntegerField()
    clicked = serializers.IntegerField()
    converted = serializers.IntegerField()


class ReportOutput(serializers.Serializer):
    """One campaign as of `at`. planned = pending + in_work + sent + skipped + failed
    + cancelled + expired + unknown + held_out + quarantined."""

    campaign_id = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.CharField()
    at = serializers.DateTimeField()
    is_sandbox = serializers.BooleanField()
    planned = serializers.IntegerField()
    attempted = serializers.IntegerField()
    sent = serializers.IntegerField()
    delivered = serializers.IntegerField()
    opened = serializers.IntegerField()
    clicked = serializers.IntegerField()
    converted = serializers.IntegerField()
    dismissed = serializers.IntegerField()
    pending = serializers.IntegerField()
    late = serializers.IntegerField()
    in_work = serializers.IntegerField()
    skipped = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    expired = serializers.IntegerField()
    unknown = serializers.IntegerField()
    held_out = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    skips = ReasonOutput(many=True)
    failures = ReasonOutput(many=True)
    cancellations = ReasonOutput(many=True)
    waits = ReasonOutput(many=True)
    rates = RatesOutput()
    revenue = RevenueOutput(many=True)
    conversion_median_s = serializers.FloatField(allow_null=True)
    # The first days from the first send.
    days = DayOutput(many=True)
