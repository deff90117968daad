"""What a posted preference page means, as choices.

The page posts the switches that are on, and those that were on when it was
shown: only what the person changed counts, so that an old tab undoes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from preferences.consent import Choice
from preferences.grid import Grid, Switch


def read_switch_choices(
    grid: Grid, *, shown: Iterable[str], posted: Iterable[str], touched: str = ""
) -> list[Choice]:
    """The choices behind the difference of two sets of switch names.

    `touched` is the id of the switch just clicked: it counts even where the
    page has not heard yet what an earlier click did. Names that are no switch
    of this page are ignored. The first "enable all" of someone who never chose
    a topic says yes to each of them; later ones bring back what was chosen
    before and widen nothing.
    """
    switches = grid.switches
    flipped = (set(shown) ^ set(posted)) & set(switches)
    flipped |= {name for name, s in switches.items() if s.html_id == touched}
    on = set(posted)
    choices = [
        make_choice(switch, subscribed=name in on)
        for name, switch in switches.items()
        if name in flipped
    ]
    if flipped == {"master"} and "master" in on and grid.is_untouched:
        choices += [
            make_choice(row.switch, subscribed=True)
            for row in grid.topics
            if not row.topic.is_transactional
        ]
    return choices


def make_choice(switch: Switch, *, subscribed: bool) -> Choice:
    """`topic:promotions:push` → the choice it stands for."""
    kind, _, rest = switch.name.partition(":")
    if kind == "master":
        return Choice(subscribed=subscribed)
    if kind == "channel":
        return Choice(channel=rest, subscribed=subscribed)
    key, _, channel = rest.partition(":")
    return Choice(channel=channel, topic_key=key, subscribed=subscribed)
