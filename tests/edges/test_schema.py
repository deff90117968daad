"""The OpenAPI document is right, and its examples are taken as they stand."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from crm import bell
from crm.api import auth
from crm.api.examples import WORDS
from crm.events.schema import KINDS
from crm.models import Event, Merge
from tests.edges.world import make_world
from tests.factories import make_api_key, make_campaign, make_contact


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


def list_operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate_schema(document)


def test_each_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for *_, operation in list_operations(document)]

    assert sorted(names) == sorted(set(names))


def test_all_that_is_referred_to_is_there(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    wanted = {piece.split('"')[0] for piece in text.split("#/components/schemas/")[1:]}

    assert wanted <= set(document["components"]["schemas"])


def list_bodies(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """(operation, property it leaves out, content) of each body and each success."""
    found = []
    for *_, operation in list_operations(document):
        name = operation["operationId"]
        if "requestBody" in operation:
            found.append((name, "readOnly", operation["requestBody"]))
        for status, answer in operation["responses"].items():
            if status.startswith("2") and "content" in answer:
                found.append((name, "writeOnly", answer))
    return [(n, out, body["content"]["application/json"]) for n, out, body in found]


def list_examples(content: dict[str, Any]) -> list[Any]:
    several = [one["value"] for one in content.get("examples", {}).values()]
    return several + ([content["example"]] if "example" in content else [])


def leave_out(schema: Any, mark: str) -> Any:
    """The schema as one direction means it: marked properties are not asked for."""
    if isinstance(schema, list):
        return [leave_out(one, mark) for one in schema]
    if not isinstance(schema, dict):
        return schema
    left = {key: leave_out(one, mark) for key, one in schema.items()}
    shapes = schema.get("properties")
    if isinstance(shapes, dict) and isinstance(schema.get("required"), list):
        left["required"] = [
            name for name in schema["required"] if not shapes.get(name, {}).get(mark)
        ]
    return left


def test_each_body_and_each_success_has_an_example_that_its_schema_takes(
    document: dict[str, Any],
) -> None:
    bodies, faults = list_bodies(document), []
    for name, mark, content in bodies:
        examples = list_examples(content)
        assert examples, name
        whole = {**content["schema"], "components": document["components"]}
        judge = jsonschema.Draft202012Validator(
            leave_out(whole, mark), format_checker=jsonschema.FormatChecker()
        )
        faults += [
            (name, f.json_path, f.message)
            for example in examples
            for f in judge.iter_errors(example)
        ]

    assert faults == []
    assert len(bodies) >= 85


def test_each_word_of_the_examples_is_of_a_field_there_is(
    document: dict[str, Any],
) -> None:
    shapes = document["components"]["schemas"]
    fields = {name: set(shape.get("properties", ())) for name, shape in shapes.items()}
    anywhere = set[str]().union(*fields.values())
    pairs = [word.rpartition(".")[::2] for word in WORDS]

    lost = [(of, name) for of, name in pairs if name not in fields.get(of, anywhere)]
    assert lost == []
    assert {of for of, _ in pairs if of} <= set(fields)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/contacts/", 201),
        ("/api/devices/", 201),
        ("/api/catalogs/", 201),
        ("/api/products/", 200),
        ("/api/segments/", 201),
        ("/api/segments/preview/", 200),
    ],
)
def test_an_example_of_the_rest_api_is_taken(
    document: dict[str, Any], path: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell.app, "send_task", lambda *_, **__: None)
    auth.forget_keys()
    make_contact("ada")
    operation = document["paths"][path]["post"]
    content = operation["requestBody"]["content"]["application/json"]

    answer = Client().post(
        path,
        list_examples(content)[0],
        content_type="application/json",
        HTTP_AUTHORIZATION=f"Bearer {make_api_key('admin')}",
    )

    assert answer.status_code == status, answer.content
    assert str(status) in operation["responses"]


@pytest.mark.django_db
def test_what_is_read_is_what_the_document_says(document: dict[str, Any]) -> None:
    world = make_world()
    make_campaign("Without anything set")
    event = Event.objects.latest("occurred_at")
    asked = {
        "occurred_at": event.occurred_at.isoformat(),
        "contact": str(world.contact.uuid),
        "with": world.segment.slug,
    }
    rows = {
        "contacts": world.contact.uuid,
        "segments": world.segment.pk,
        "campaigns": world.campaign.pk,
        "deliveries": world.delivery.pk,
        "catalogs": "products",
        "products": "sku-1",
        "events": event.pk,
        "merges": Merge.objects.latest("pk").pk,
    }
    header = f"Bearer {make_api_key('admin')}"
    seen, faults = 0, []
    for method, path, operation in list_operations(document):
        if method != "get" or "explain" in path:
            continue
        row = rows.get(path.split("/")[2])
        if row is None and "{" in path:
            continue
        address = re.sub(r"{(?!code)\w+}", str(row), path)
        address = address.replace("{code}", "sku-1")
        answer = Client().get(address, asked, HTTP_AUTHORIZATION=header)
        assert answer.status_code == 200, (path, answer.content)
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": document["components"]}
        formats = jsonschema.FormatChecker()
        judge = jsonschema.Draft202012Validator(whole, format_checker=formats)
        faults += [
            (path, f.json_path, f.message) for f in judge.iter_errors(answer.json())
        ]
        seen += 1
    assert faults == []
    assert seen >= 20


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/v1/batch", *(f"/v1/{k}" for k in sorted(KINDS))])
def test_an_example_is_taken_in_and_answered_as_the_document_says(
    document: dict[str, Any], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell.app, "send_task", lambda *_, **__: None)
    auth.forget_keys()
    operation = document["paths"][path]["post"]
    body = operation["requestBody"]["content"]["application/json"]["example"]
    answer = Client().post(
        path,
        json.dumps(body),
        content_type="application/json",
        HTTP_AUTHORIZATION=f"Bearer {make_api_key('track')}",
    )

    told = operation["responses"]["200"]["content"]["application/json"]["example"]
    assert (answer.status_code, answer.json()) == (200, told)
