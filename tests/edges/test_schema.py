"""The OpenAPI document is right, and its examples are taken as they stand."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from crm import bell
from crm.api import auth
from crm.events.schema import KINDS
from tests.factories import make_api_key


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


def list_examples(document: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """(path, schema, example) of each body that has one."""
    contents = [
        (path, body["content"]["application/json"])
        for _, path, operation in list_operations(document)
        for body in [operation.get("requestBody"), *operation["responses"].values()]
        if body and "application/json" in body.get("content", {})
    ]
    return [(p, c["schema"], c["example"]) for p, c in contents if "example" in c]


def test_examples_are_what_their_schema_says(document: dict[str, Any]) -> None:
    examples = list_examples(document)

    # A body and an answer: the kinds, the batch, reports and sends.
    assert len(examples) >= 2 * (len(KINDS) + 3)
    for _, schema, example in examples:
        whole = {**schema, "components": document["components"]}
        jsonschema.Draft202012Validator(whole).validate(example)


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
