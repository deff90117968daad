"""What docs/sdks/ tells people to write does what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import pytest

from crm.models import Contact, Event
from tests.architecture.source import ROOT
from tests.clients.conftest import Site
from tests.clients.environments import install_node, install_python

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
PAGES = ("posthog.md", "segment.md")
SNIPPET = re.compile(
    r"^## (?P<client>\w+): `(?P<package>[^`]+)`\n.*?^```\w+\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """Text for one pinned package, as a page gives it."""

    client: str
    package: str
    text: str


def list_snippets() -> list[Snippet]:
    return [
        Snippet(**found.groupdict())
        for page in PAGES
        for found in SNIPPET.finditer((ROOT / "docs/sdks" / page).read_text("utf-8"))
    ]


@pytest.mark.parametrize("snippet", list_snippets(), ids=lambda one: one.package)
def test_a_snippet_makes_a_person_and_an_order(snippet: Snippet, site: Site) -> None:
    install = {"Python": install_python, "Node": install_node}[snippet.client]
    text = snippet.text.replace("https://apropos.example.com", site.url)
    done = install(snippet.package).run(text.replace("YOUR_KEY", site.key))

    assert (done.code, done.errors) == (0, "")
    assert Contact.objects.get(external_id="ada").email == "ada@example.com"
    order = Event.objects.get(name="Order Completed")
    assert (order.contact.external_id, order.value, order.currency) == (
        "ada",
        Decimal("42.5"),
        "EUR",
    )
