"""Customer.io's two addresses for stopping and releasing a person."""

from __future__ import annotations

from typing import Any

from crm.api.customerio import do_all
from crm.api.customerio_wire import build_item
from crm.api.foreign import Request
from crm.events.naming import read_address
from crm.events.operations import Call
from crm.ports.effects import SUPPRESSED, UNSUPPRESSED


def suppress(request: Request, identifier: str) -> Any:
    """POST /api/v1/customers/{id}/suppress: nothing is sent to them any more."""
    return record_deed(request, identifier, SUPPRESSED)


def unsuppress(request: Request, identifier: str) -> Any:
    """POST /api/v1/customers/{id}/unsuppress"""
    return record_deed(request, identifier, UNSUPPRESSED)


def record_deed(request: Request, identifier: str, name: str) -> Any:
    """The event that `preferences.effects` gives its effect, in its transaction."""
    request.read_object()
    address = read_address(identifier, "identifier")
    return do_all(request, [Call(address, build_item("track", name, request.at))])
