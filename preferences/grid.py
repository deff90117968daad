"""The preference page as data: switches as they stand, and what a click means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm.models import Contact
from preferences import levels
from preferences.models import Channel, PreferenceCenter, Subscription, Topic


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch. `name` is its field in the form: master, channel:…, topic:…"""

    name: str
    label: str
    is_on: bool
    hint: str = ""

    @property
    def html_id(self) -> str:
        return "s-" + self.name.replace(":", "-")

    @property
    def look(self) -> str:
        """A topic on a channel is drawn as a chip, all else as a switch."""
        return "" if self.name.count(":") == 2 else "switch"


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A topic: its own switch and one per channel."""

    topic: Topic
    switch: Switch
    cells: Sequence[Switch]


@dataclass(frozen=True, slots=True)
class Grid:
    """All switches of one contact in one center."""

    master: Switch
    channels: Sequence[Switch]
    topics: Sequence[TopicRow]
    # Nothing was ever said about a topic: "enable all" then means all.
    is_untouched: bool

    @property
    def switches(self) -> dict[str, Switch]:
        cells = [cell for row in self.topics for cell in row.cells]
        rows = [row.switch for row in self.topics]
        return {s.name: s for s in [self.master, *self.channels, *rows, *cells]}


def build_grid(
    center: PreferenceCenter,
    *,
    topics: Sequence[Topic],
    said: Mapping[levels.Level, str],
    locale: str = "",
) -> Grid:
    """The switches out of what was said, without a query."""
    labels = dict(Channel.choices)
    rules = [topic.rule for topic in topics]
    return Grid(
        master=Switch(
            "master",
            center.text("master_label", locale),
            levels.is_master_on(said, rules),
            center.text("master_hint", locale),
        ),
        channels=[
            Switch(
                f"channel:{channel}",
                str(labels[channel]),
                said.get((channel, None), levels.SUBSCRIBED) == levels.SUBSCRIBED,
            )
            for channel in center.channels
        ],
        topics=[_build_row(topic, said, center.channels) for topic in topics],
        is_untouched=all(topic_id is None for _, topic_id in said),
    )


def _build_row(
    topic: Topic, said: Mapping[levels.Level, str], channels: Sequence[str]
) -> TopicRow:
    labels = dict(Channel.choices)
    rule = topic.rule
    return TopicRow(
        topic,
        Switch(
            f"topic:{topic.key}",
            topic.name,
            levels.is_topic_on(said, rule),
            topic.description,
        ),
        [
            Switch(
                f"topic:{topic.key}:{channel}",
                str(labels[channel]),
                levels.is_cell_on(said, rule, channel),
            )
            for channel in channels
        ],
    )


def read_grid(contact: Contact, center: PreferenceCenter, *, locale: str = "") -> Grid:
    """The contact's switches as they stand. Two queries."""
    rows = Subscription.objects.of_contacts([contact.pk]).in_center(center.pk)
    topics = list(center.topics.shown())
    return build_grid(center, topics=topics, said=rows.as_said(), locale=locale)
