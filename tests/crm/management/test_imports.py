"""The same imports from a shell: counts on stdout, 1 where rows were refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from crm.models import Contact, Event, Product

pytestmark = pytest.mark.django_db


def run(name: str, path: Path, *arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(name, str(path), *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


def test_people_come_with_progress_and_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "key,plan,x\nu1,pro,1\nu2,free,2\n")
    words = ("--map", "key=external_id", "--map", "plan=trait:tier", "--map", "x=-")
    out, err = run("import_contacts", path, *words)
    assert out == "2 new, 0 changed, 0 as they were, 0 refused.\n"
    assert "2 of about 2 rows" in err
    assert Contact.objects.get(external_id="u1").traits == {"tier": "pro"}


def test_refused_rows_end_it_with_1_and_stand_in_their_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,email\nu1,nothing\nu2,b@example.com\n")
    errors = tmp_path / "errors.csv"
    with pytest.raises(CommandError, match="1 rows were refused") as refused:
        run("import_contacts", path, "--errors", str(errors))
    assert refused.value.returncode == 1
    assert Contact.objects.get().external_id == "u2"
    assert errors.read_text(encoding="utf-8").splitlines() == [
        "line,column,code,message,id,email",
        "2,email,invalid_email,Not an e-mail address.,u1,nothing",
    ]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id\nu1\n")
    out, _ = run("import_contacts", path, "--dry-run")
    assert out.startswith("1 would be new")
    assert not Contact.objects.exists()


@pytest.mark.parametrize(
    ("text", "encoding", "arguments", "words"),
    [
        ("id\nZoë\n", "latin-1", [], "Say --encoding latin-1"),
        ("name\nAda\n", "utf-8", [], "No column says who it is"),
        ("id\nu1\n", "utf-8", ["--map", "id"], "needs COLUMN=TARGET"),
        ("id\nu1\n", "utf-8", ["--map", "nope=email"], "no column “nope”"),
        ("", "utf-8", [], "empty"),
    ],
)
def test_what_can_not_begin_says_why(
    text: str, encoding: str, arguments: list[str], words: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.csv", text, encoding)
    with pytest.raises(CommandError, match=words):
        run("import_contacts", path, *arguments)
    assert not Contact.objects.exists()


def test_latin_1_is_read_when_it_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,city\nu1,Köln\n", "latin-1")
    run("import_contacts", path, "--encoding", "latin-1")
    assert Contact.objects.get().traits == {"city": "Köln"}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nothing\.csv: No such file"):
        run("import_contacts", tmp_path / "nothing.csv")


def test_events_and_products_come_too(tmp_path: Path, settings: Any) -> None:
    events = write(tmp_path / "e.csv", "user_id,time\nu1,2026-03-01\n")
    run("import_events", events, "--event", "Visited")
    assert Event.objects.get().name == "Visited"
    products = write(tmp_path / "p.csv", "sku,name,price\na,Lamp,9.5\n")
    run("import_catalog", products)
    assert str(Product.objects.get().price) == "9.50"
