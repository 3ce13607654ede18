"""Boil an OpenAPI description down to what a reader of the reference page needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """One parameter of a call: name, where it goes, its type, what it means."""

    name: str
    place: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True)
class Call:
    """One call: method, path, what it does, what it takes, examples of both bodies."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    open_to_all: bool
    parameters: tuple[Parameter, ...]
    request: str
    response: str
    statuses: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reference:
    """The whole API: title, version, introduction, calls by tag."""

    title: str
    version: str
    description: str
    tags: Mapping[str, tuple[Call, ...]]


def describe(openapi: Mapping[str, Any]) -> Reference:
    """Return the reference of an OpenAPI 3.1 description.

    Examples
    --------
    >>> about = {"title": "A", "version": "1", "description": "B"}
    >>> describe({"info": about, "paths": {}}).title
    'A'
    """
    schemas = openapi.get("components", {}).get("schemas", {})
    tags: dict[str, list[Call]] = {}
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            call = _call(path, method, operation, schemas)
            tags.setdefault(operation.get("tags", ["other"])[0], []).append(call)
    info = openapi["info"]
    by_tag = {tag: tuple(calls) for tag, calls in tags.items()}
    return Reference(info["title"], info["version"], info["description"], by_tag)


def _call(path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Call:
    responses = operation["responses"]
    return Call(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        open_to_all="security" not in operation,
        parameters=tuple(_parameter(item) for item in operation.get("parameters", ())),
        request=_example(operation.get("requestBody", {}), schemas),
        response=_example(
            next((told for code, told in responses.items() if code < "300"), {}), schemas
        ),
        statuses=tuple((code, answer["description"]) for code, answer in responses.items()),
    )


def _parameter(item: Mapping[str, Any]) -> Parameter:
    schema = item["schema"]
    return Parameter(
        name=item["name"],
        place=item["in"],
        type=_type(schema),
        required=item.get("required", False),
        description=item.get("description") or schema.get("description", ""),
    )


def _type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return _type(next(part for part in schema["anyOf"] if part.get("type") != "null"))
    if "enum" in schema:
        return " | ".join(schema["enum"])
    return str(schema.get("type", "any"))


def _example(body: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """Return an example of a body: its model's own, or one put together from its fields'."""
    schema = body.get("content", {}).get("application/json", {}).get("schema")
    if not schema:
        return ""
    value = _in_order(_value(schema, schemas), schema, schemas)
    return json.dumps(value, indent=2, ensure_ascii=False)


def _in_order(value: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """Return an example with its fields in the order of its model; OpenAPI sorts them by name."""
    if "$ref" in schema:
        return _in_order(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema and value is not None:
        return _in_order(value, schema["anyOf"][0], schemas)
    if isinstance(value, list):
        return [_in_order(item, schema.get("items", {}), schemas) for item in value]
    fields = schema.get("properties", {})
    if not isinstance(value, dict) or not fields:
        return value
    return {
        name: _in_order(value[name], field, schemas)
        for name, field in fields.items()
        if name in value
    }


def _value(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _value(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    if "anyOf" in schema:
        return _value(schema["anyOf"][0], schemas)
    if "const" in schema:
        return schema["const"]
    if schema.get("properties"):
        return {name: _value(part, schemas) for name, part in schema["properties"].items()}
    return {"object": {}, "array": [], "boolean": False}.get(schema.get("type", ""), "...")
