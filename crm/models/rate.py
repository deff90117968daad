"""What is left of each rate limit, shared by all processes."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, models
from django.utils import timezone

# One statement: refill by the time that passed, take what is there up to the wish.
LEASE = """
WITH now AS (SELECT clock_timestamp() AS at)
INSERT INTO crm_ratebucket AS b (name, tokens, granted, filled_at)
SELECT %(name)s, %(burst)s - least(%(burst)s, %(wanted)s),
    least(%(burst)s, %(wanted)s), at FROM now
ON CONFLICT (name) DO UPDATE SET
    (tokens, granted) = (
        SELECT full_ - taken, taken FROM (
            SELECT full_, least(full_, %(wanted)s) AS taken FROM (
                SELECT least(%(burst)s, b.tokens + %(rate)s * greatest(0,
                    extract(epoch FROM excluded.filled_at - b.filled_at))) AS full_
            ) AS refilled) AS split),
    filled_at = greatest(b.filled_at, excluded.filled_at)
RETURNING granted
"""
# Seconds of the rate that may come at once after a rest.
BURST_S = 2
IDLE = timedelta(days=1)


class RateBucketQuerySet(models.QuerySet["RateBucket"]):
    def lease(self, name: str, *, rate_per_s: int, wanted: float) -> float:
        """Tokens given to this process, at most `wanted`, counted off for all."""
        with connection.cursor() as cursor:
            cursor.execute(
                LEASE,
                {
                    "name": name,
                    "rate": float(rate_per_s),
                    "burst": float(rate_per_s * BURST_S),
                    "wanted": float(wanted),
                },
            )
            return float(cursor.fetchone()[0])

    def forget_idle(self, *, now: datetime) -> int:
        """Delete what nobody asked for since yesterday: it is full again."""
        return self.filter(filled_at__lt=now - IDLE).delete()[0]


class RateBucket(models.Model):
    """Tokens left for one key, member of staff or address (as a hash).

    The table is unlogged: after a crash of the database all are full again.
    """

    name = models.CharField(max_length=80, primary_key=True)
    tokens = models.FloatField()
    # By the last lease; there so that a statement can tell it.
    granted = models.FloatField(default=0)
    filled_at = models.DateTimeField(default=timezone.now)

    objects = RateBucketQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
