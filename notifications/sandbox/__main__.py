"""`python -m notifications.sandbox --port 8010 --log var/sandbox.jsonl`.

A process of its own, without Django: it starts in a tenth of a second and lives
through restarts of the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from notifications.sandbox.server import serve_sandbox

# How the settings read a yes.
TRUE_WORDS = ("1", "true", "yes", "on", "y", "ok")


def is_allowed(environment: Mapping[str, str]) -> bool:
    """As in the settings: on with DEBUG, else only where SANDBOX says so."""
    debug = environment.get("DEBUG", "1")
    return environment.get("SANDBOX", debug).strip().lower() in TRUE_WORDS


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m notifications.sandbox")
    parser.add_argument("--port", type=int, default=8010, help="0 picks a free one")
    parser.add_argument("--log", type=Path, required=True, help="accepted messages")
    options = parser.parse_args(arguments)
    if not is_allowed(os.environ):
        sys.stderr.write("sandbox: off here; set SANDBOX=1 to allow it\n")
        return 1
    try:
        asyncio.run(run_sandbox(options.port, options.log))
    except OSError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    return 0


async def run_sandbox(port: int, log_path: Path) -> None:
    """Serve until SIGTERM or SIGINT; the address is the first line printed."""
    server = await serve_sandbox(port, log_path)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    address = server.sockets[0].getsockname()
    sys.stdout.write(f"sandbox http://127.0.0.1:{address[1]}\n")
    sys.stdout.flush()
    await stopping.wait()
    server.close()


if __name__ == "__main__":
    sys.exit(main())
