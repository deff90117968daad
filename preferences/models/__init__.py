"""What is allowed: centers, topics, the ledger, its projection, suppressions.

One topic per file. Rows of consent are written by `preferences.consent` alone.
"""

from preferences.models.center import CenterWording, PreferenceCenter
from preferences.models.channel import Channel
from preferences.models.consent import ConsentRecord
from preferences.models.link import LinkGuess, PreferenceLink
from preferences.models.subscription import Subscription
from preferences.models.suppression import Suppression
from preferences.models.topic import Topic

__all__ = [
    "CenterWording",
    "Channel",
    "ConsentRecord",
    "LinkGuess",
    "PreferenceCenter",
    "PreferenceLink",
    "Subscription",
    "Suppression",
    "Topic",
]
