"""Ends what a killed supervisor leaves behind. A process of its own.

The supervisor writes the process groups of its children, one list a line. The end
of its input means that the supervisor is gone, however it died.
"""

from __future__ import annotations

import signal
import sys
import time

from crm.embedded.lifeline import (
    ignore_terminal,
    list_alive,
    signal_groups,
    signal_leaders,
)

# Time to end in order before a group is killed.
GRACE_S = 8.0


def main() -> int:
    ignore_terminal()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    groups: list[int] = []
    for line in sys.stdin:
        groups = [int(number) for number in line.split()]
    signal_leaders(groups, signal.SIGTERM)
    give_up_at = time.monotonic() + GRACE_S
    while list_alive(groups) and time.monotonic() < give_up_at:
        time.sleep(0.1)
    signal_groups(groups, signal.SIGKILL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
