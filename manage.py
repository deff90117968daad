#!/usr/bin/env python3
"""Entry point: makes .venv on a bare machine, then runs one Django command in it."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is what tells an old Python
    sys.exit("Apropos needs Python 3.11 or newer; this is " + sys.version.split()[0])

# `up` takes its lock before the database; `test` leaves it to tests/conftest.py.
WITHOUT_DATABASE = {"help", "version", "up", "test", "check", "collectstatic"}


def main() -> None:
    from crm.bootstrap import enter_environment

    enter_environment(sys.argv)
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    if command == "test":
        from crm.management.commands.test import execute_pytest

        execute_pytest(sys.argv[2:])

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")

    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from crm.embedded.postgres import EmbeddedPostgresError, attach_configured

    wants_help = "--help" in sys.argv or "-h" in sys.argv
    try:
        if command not in WITHOUT_DATABASE and not wants_help:
            attach_configured()
        execute_from_command_line(sys.argv)
    except (EmbeddedPostgresError, ImproperlyConfigured) as error:
        sys.exit(f"Apropos cannot start: {error}")


if __name__ == "__main__":
    main()
