"""Staff's pages over many messages: seconds of the whole answer, and its queries.

    python tests/bench/pages.py [--scale small|full] [--json]

Twenty campaigns to everybody over four months, ended as real ones do: six of ten
sent, some of them delivered, opened, clicked, converted; three skipped; the rest
expired, or due tomorrow. Each page is asked for twice by a superuser, the second time
counts. `page_worst_s` is the slowest page, `query_worst_s` the slowest query of all.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from common import Figures, fill_shop, open_scratch, run_bench, write_push  # noqa: E402

# People, each with a message of every campaign.
SCALES = {"small": 5_000, "full": 50_000}
CAMPAIGNS = 20
# What a campaign planned, all pending, is aged into. %(age)s: its days.
PLAN = """
INSERT INTO notifications_delivery (id, source_kind, source_id, occurrence,
  contact_id, campaign_id, campaign_version_id, sender_id, channel, variant,
  experiment, holdout, origin, relevance, purpose_class, state, reason, detail,
  priority, due_at, due_local, due_zone, expires_at, created_at, claims, posts, tries,
  maybe_sent, locale, first_claimed_at, gated_at, finished_at, sent_at, delivered_at,
  opened_at, clicked_at, converted_at)
SELECT gen_random_uuid(), 'campaign', %(campaign)s, '', c.id, %(campaign)s, %(version)s,
  %(sender)s, 'push', '', '', '', 'manual', 'segment', 'promotional', s.state, s.reason,
  '', 0, CASE WHEN s.state = 'pending' THEN now() + interval '1 day' ELSE s.at END, '',
  '', now() + interval '2 days', s.at, 1, 1, 1, false, 'en', s.at, s.at,
  CASE WHEN s.state <> 'pending' THEN s.at END, s.sent_at,
  CASE WHEN c.id %% 2 = 0 THEN s.sent_at END,
  CASE WHEN c.id %% 7 = 0 THEN s.sent_at END,
  CASE WHEN c.id %% 20 = 0 THEN s.sent_at END,
  CASE WHEN c.id %% 50 = 0 THEN s.sent_at END
FROM crm_contact c CROSS JOIN LATERAL (
  SELECT p.*, CASE WHEN p.state = 'sent' THEN p.at END AS sent_at FROM (SELECT
    now() - make_interval(hours => %(age)s * 24 + (c.id %% 144)::int) AS at,
    CASE WHEN c.id %% 10 < 6 THEN 'sent' WHEN c.id %% 10 < 9 THEN 'skipped'
      WHEN %(age)s < 18 THEN 'pending' ELSE 'expired' END AS state,
    CASE WHEN c.id %% 10 BETWEEN 6 AND 8 THEN
      (ARRAY['capped', 'no_consent', 'quiet_hours'])[1 + c.id %% 3] ELSE '' END
      AS reason
  ) p) s
"""


def measure_pages(people: int) -> Figures:
    with open_scratch():
        fill_shop(people)
        paths = fill_history()
        figures: Figures = {"deliveries": people * CAMPAIGNS}
        seconds, queries = zip(*(time_page(path) for path in paths), strict=True)
        figures["page_worst_s"] = round(max(seconds), 2)
        figures["query_worst_s"] = round(max(queries), 2)
        figures["pages_s"] = {
            path: round(took_s, 2) for path, took_s in zip(paths, seconds, strict=True)
        }
        return figures


def fill_history() -> list[str]:
    """Messages of all campaigns; answers the pages that show them."""
    from django.db import connection

    from notifications.models import Campaign, Sender

    sender = Sender.objects.get()
    for number in range(CAMPAIGNS):
        campaign = write_push(f"Campaign {number}")
        Campaign.objects.filter(pk=campaign.pk).update(
            state="running", launched_at=campaign.build_started_at
        )
        with connection.cursor() as cursor:
            cursor.execute(
                PLAN,
                {
                    "campaign": campaign.pk,
                    "version": campaign.current_version_id,
                    "sender": sender.pk,
                    "age": number * 6,
                },
            )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE notifications_delivery")
    return list_paths(campaign)


def list_paths(campaign: object) -> list[str]:
    from notifications.models import Campaign, Delivery

    assert isinstance(campaign, Campaign)
    row = campaign.deliveries.filter(state=Delivery.State.SENT)[0]
    messages = "/admin/notifications/delivery/"
    report = f"/admin/notifications/campaign/{campaign.pk}/report/"
    return [
        "/admin/",
        "/admin/?days=30",
        messages,
        f"{messages}?state=skipped",
        f"{messages}?state=quarantined",
        f"{messages}?campaign={campaign.pk}",
        f"{messages}{row.pk}/change/",
        "/admin/notifications/campaign/",
        report,
        "/admin/notifications/switch/",
        "/admin/crm/contact/",
        f"/admin/crm/contact/{row.contact_id}/change/",
        "/api/deliveries/?state=failed",
        "/api/campaigns/",
        f"/api/campaigns/{campaign.pk}/report/",
    ]


def time_page(path: str) -> tuple[float, float]:
    """Seconds of the second answer, and of its slowest query."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    boss = User.objects.filter(is_superuser=True).first()
    boss = boss or User.objects.create_superuser("bench")
    client = Client(SERVER_NAME="localhost")
    backend = "django.contrib.auth.backends.ModelBackend"
    client.force_login(boss, backend=backend)
    client.get(path)
    with CaptureQueriesContext(connection) as asked:
        begun_s = time.perf_counter()
        response = client.get(path)
        took_s = time.perf_counter() - begun_s
    if response.status_code != 200:
        raise SystemExit(f"{path}: {response.status_code}")
    return took_s, max(float(query["time"]) for query in asked.captured_queries)


if __name__ == "__main__":
    run_bench(__doc__, SCALES, measure_pages)
