"""Which changes of a version's inputs break the clients of the one before, and how schemas are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rollout.input_schema import signature_of
from rollout.schemas import Fields, breaking, from_openapi, from_signature

ROW = {"age": {"type": "integer", "format": "int64"}, "name": {"type": "string"}}


def openapi(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    """As the inference server writes it from a decorated script: OpenAPI 2.0, rows of objects under `data`."""
    schema = {
        "type": "object",
        "properties": {"data": {"type": "array", "items": {"type": "object", "properties": row, **more}}},
        "example": {"data": [{"age": 25}]},
    }
    body = {"name": "serviceInputPayload", "in": "body", "schema": {"$ref": "#/definitions/ServiceInput"}}
    return {
        "swagger": "2.0",
        "paths": {"/": {"get": {}}, "/score": {"post": {"operationId": "RunMLService", "parameters": [body]}}},
        "definitions": {"ServiceInput": schema, "ServiceOutput": {"type": "array"}},
    }


def fields(row: dict[str, Any], **more: Any) -> Fields:
    found = from_openapi(openapi(row, **more))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("new", "required", "found"),
    [
        (ROW, ["age", "name"], []),
        (ROW, ["age"], []),
        (ROW | {"city": {"type": "string"}}, ["age", "name"], []),
        (ROW | {"city": {"type": "string"}}, ["age", "city"], ["data[].city is new and required"]),
        ({"age": ROW["age"]}, ["age"], ["data[].name was removed or renamed"]),
        (
            {"years": ROW["age"], "name": ROW["name"]},
            ["years", "name"],
            ["data[].age was removed or renamed", "data[].years is new and required"],
        ),
        (ROW | {"age": {"type": "number", "format": "double"}}, ["age"], []),
        (ROW | {"age": {"type": "number"}}, ["age"], []),
        (ROW | {"age": {"type": ["integer", "null"], "format": "int64"}}, ["age"], []),
        (ROW | {"age": {}}, ["age"], []),
        (
            ROW | {"age": {"type": "integer", "format": "int32"}},
            ["age"],
            ["data[].age was narrowed from int64 to int32"],
        ),
        (ROW | {"age": {"type": "string"}}, ["age"], ["data[].age was narrowed from int64 to string"]),
        (
            ROW | {"name": {"type": "string", "format": "date"}},
            ["age"],
            ["data[].name was narrowed from string to string:date"],
        ),
        (ROW | {"name": {"type": "string", "enum": ["a", "b"]}}, ["age"], ["data[].name takes fewer values"]),
    ],
)
def test_what_clients_send_is_still_taken_or_the_change_is_named(
    new: dict[str, Any], required: list[str], found: list[str]
) -> None:
    assert breaking(fields(ROW, required=["age", "name"]), fields(new, required=required)) == found


def test_what_was_optional_and_is_required_breaks_those_who_leave_it_out() -> None:
    old, new = fields(ROW, required=["age"]), fields(ROW, required=["age", "name"])

    assert breaking(old, new) == ["data[].name was optional and is required"]
    assert breaking(new, old) == []


def test_null_may_be_allowed_and_not_taken_back() -> None:
    old, new = fields({"x": {"type": "number", "nullable": True}}), fields({"x": {"type": "number"}})

    assert breaking(old, new) == ["x".join(("data[].", " was narrowed from null or number to number"))]
    assert breaking(new, old) == []


def test_an_enumeration_may_grow() -> None:
    old, new = fields({"x": {"type": "string", "enum": ["a"]}}), fields({"x": {"type": "string", "enum": ["a", "b"]}})

    assert breaking(old, new) == []
    assert breaking(new, old) == ["data[].x takes fewer values"]


def test_where_a_document_never_says_what_is_required_everything_is() -> None:
    """The inference server writes none, and refuses rows that lack a column."""
    assert breaking(fields(ROW), fields(ROW | {"city": {"type": "string"}})) == ["data[].city is new and required"]


def test_of_a_part_that_is_gone_only_the_whole_is_named_and_a_new_optional_part_asks_for_nothing() -> None:
    place = {"type": "object", "properties": {"city": {"type": "string"}, "street": {"type": "string"}}}
    old = fields(ROW | {"place": place}, required=["age"])
    new = fields(ROW, required=["age"])

    assert breaking(old, new) == ["data[].place was removed or renamed"]
    assert breaking(new, fields(ROW | {"place": place | {"required": ["city"]}}, required=["age"])) == []


def test_lists_are_compared_by_what_is_in_them() -> None:
    ints = fields({"x": {"type": "array", "items": {"type": "integer"}}})
    numbers = fields({"x": {"type": "array", "items": {"type": "number"}}})

    assert breaking(ints, numbers) == []
    assert breaking(numbers, ints) == ["data[].x was narrowed from list of number to list of integer"]


def test_openapi_3_with_references_and_allof_reads_as_the_same() -> None:
    row = {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"name": ROW["name"]}}]}
    body = {"type": "object", "properties": {"data": {"type": "array", "items": row}}}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ServiceInput"}}}
    document = {
        "openapi": "3.0.3",
        "paths": {"/score": {"post": {"requestBody": {"content": content}}}},
        "components": {
            "schemas": {
                "ServiceInput": body,
                "Base": {"type": "object", "properties": {"age": ROW["age"]}, "required": ["age"]},
            }
        },
    }
    assert from_openapi(document) == {
        **fields(ROW, required=["age"]),
        "data": from_openapi(openapi(ROW, required=["age"]))["data"],  # type: ignore[index]
    }


def test_a_schema_that_holds_itself_comes_to_an_end() -> None:
    for node in (
        {"type": "object", "properties": {"child": {"$ref": "#/definitions/Node"}}},
        {"type": "array", "items": {"$ref": "#/definitions/Node"}},
        {"anyOf": [{"type": "null"}, {"$ref": "#/definitions/Node"}]},
        {"allOf": [{"$ref": "#/definitions/Node"}]},
    ):
        document = openapi({"child": {"$ref": "#/definitions/Node"}})
        document["definitions"]["Node"] = node

        assert from_openapi(document)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        {},
        {"paths": {"/score": {"post": {"responses": {}}}}},
        {"paths": {"/score": {"post": {"parameters": [{"in": "body", "schema": {"$ref": "#/definitions/Gone"}}]}}}},
        {
            "paths": {"/score": {"post": {"parameters": [{"in": "body", "schema": {"$ref": "#/definitions/I"}}]}}},
            "definitions": {"I": {"type": "object", "example": {}}},
        },
    ],
    ids=["none", "a list", "text", "empty", "no body", "a reference to nothing", "the server's own for a plain script"],
)
def test_a_document_that_says_nothing_of_the_inputs_is_no_schema(document: Any) -> None:
    assert from_openapi(document) is None


def signature(*columns: dict[str, Any]) -> Fields:
    found = from_signature(json.dumps(columns))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"type": "long", "name": "age"}, {"type": "double", "name": "age"}, []),
        ({"type": "integer", "name": "age"}, {"type": "long", "name": "age"}, []),
        (
            {"type": "double", "name": "age"},
            {"type": "float", "name": "age"},
            ["age was narrowed from double to float"],
        ),
        (
            {"type": "double", "name": "age"},
            {"type": "long", "name": "age"},
            ["age was narrowed from double to int64"],
        ),
        (
            {"type": "double", "name": "age", "required": False},
            {"type": "double", "name": "age"},
            ["age was optional and is required"],
        ),
        (
            {"type": "double", "name": "age", "optional": True},
            {"type": "double", "name": "age"},
            ["age was optional and is required"],
        ),
        (
            {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}},
            {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 5]}},
            ["column 1 was narrowed from tensor [-1, 4] of float64 to tensor [-1, 5] of float64"],
        ),
        (
            {"type": "array", "name": "x", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
            {
                "type": "array",
                "name": "x",
                "items": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}},
            },
            ["x[].b is new and required"],
        ),
    ],
)
def test_mlflow_signatures_are_compared_by_the_same_rules(
    old: dict[str, Any], new: dict[str, Any], found: list[str]
) -> None:
    assert breaking(signature(old), signature(new)) == found


def test_the_signature_of_an_mlmodel_file_is_read_and_a_file_without_one_is_no_schema() -> None:
    columns = '[{"type": "long", "name": "age", "required": true}]'
    assert signature_of(f"flavors: {{}}\nsignature:\n  inputs: '{columns}'\n  outputs: null\n".encode()) == signature(
        {"type": "long", "name": "age"}
    )
    for nothing in (
        b"flavors: {}\n",
        b"signature: null\n",
        b"signature: {inputs: 'no json'}\n",
        b"[",
        b"\xff",
        b"text",
    ):
        assert signature_of(nothing) is None
