"""Preferences as JSON: ours, and Customer.io's `cio_subscription_preferences`.

Both are read strictly: an unknown key or a word that is no boolean is refused
with its path before anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from preferences.consent import Choice
from preferences.grid import Grid
from preferences.models import Channel, Topic


class ShapeError(ValueError):
    """`path` names the fault, as in topics.promotions.channels.push."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def read_json_choices(body: Any, topics: Sequence[Topic]) -> list[Choice]:
    """{unsubscribed, channels: {push: bool}, topics: {key: bool | {…}}}.

    Topics go by key or by `topic_N`; what is not named stays as it is.
    """
    known = _index_topics(topics)
    choices: list[Choice] = []
    for name, value in _expect_object(body, "").items():
        if name == "unsubscribed":
            choices.append(Choice(subscribed=not _expect_bool(value, name)))
        elif name == "channels":
            choices += _read_channels(value, name, topic_key="")
        elif name == "topics":
            for key, word in _expect_object(value, name).items():
                choices += _read_topic(word, f"{name}.{key}", known.get(key))
        else:
            raise ShapeError(str(name), "Unknown key.")
    return choices


def _index_topics(topics: Sequence[Topic]) -> dict[str, Topic]:
    return {t.public_id: t for t in topics} | {t.key: t for t in topics}


def _read_topic(word: Any, path: str, topic: Topic | None) -> list[Choice]:
    if topic is None:
        raise ShapeError(path, "This center has no such topic.")
    if isinstance(word, bool):
        return [Choice(topic_key=topic.key, subscribed=word)]
    choices: list[Choice] = []
    for name, value in _expect_object(word, path).items():
        inner = f"{path}.{name}"
        if name == "subscribed":
            subscribed = _expect_bool(value, inner)
            choices.append(Choice(topic_key=topic.key, subscribed=subscribed))
        elif name == "channels":
            choices += _read_channels(value, inner, topic_key=topic.key)
        else:
            raise ShapeError(inner, "Unknown key.")
    return choices


def _read_channels(value: Any, path: str, *, topic_key: str) -> list[Choice]:
    choices: list[Choice] = []
    for channel, word in _expect_object(value, path).items():
        if channel not in Channel.values:
            raise ShapeError(f"{path}.{channel}", "Unknown channel.")
        subscribed = _expect_bool(word, f"{path}.{channel}")
        choices.append(Choice(channel, topic_key, subscribed))
    return choices


def _expect_object(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ShapeError(path, "Write an object here.")
    return value


def _expect_bool(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise ShapeError(path, "Write true or false.")
    return value


def render_json_choices(grid: Grid) -> dict[str, Any]:
    """The same shape out, with names, and Customer.io's beside it."""
    channels = {s.name.partition(":")[2]: s.is_on for s in grid.channels}
    return {
        "unsubscribed": not grid.master.is_on,
        "channels": channels,
        "topics": {
            row.topic.key: {
                "id": row.topic.public_id,
                "name": row.topic.name,
                "subscribed": row.switch.is_on,
                "channels": {s.name.rpartition(":")[2]: s.is_on for s in row.cells},
            }
            for row in grid.topics
        },
        "cio_subscription_preferences": {
            "topics": {row.topic.public_id: row.switch.is_on for row in grid.topics},
            "channels": channels,
        },
    }
