"""From a request to checked values, and from values to a reply.

A schema is built once per endpoint and read here; whatever does not fit raises the error the specification names, with
a sentence that says which key was wrong and what is allowed. Unknown keys are ignored: clients may be newer than the
server. Event contents do not come this way, see `read_json`.
"""

from __future__ import annotations

from typing import Any

from flask import Request
from marshmallow import EXCLUDE, Schema, ValidationError, fields

from core.errors import BadJson, InvalidParam, MatrixError, MissingParam
from core.web.fields import (
    REQUIRED,
    EventIdField,
    JsonAny,
    JsonBool,
    JsonInt,
    JsonList,
    JsonObject,
    JsonString,
    QueryBool,
    QueryInt,
    QueryJson,
    QueryString,
    QueryStrings,
    RoomAliasField,
    RoomIdField,
    ServerNameField,
    UserIdField,
)
from core.web.json_body import MAX_BODY_BYTES, kind_of, read_json, read_object
from core.web.replies import Empty, dump, json_reply

__all__ = [
    "Empty",
    "EventIdField",
    "JsonAny",
    "JsonBool",
    "JsonInt",
    "JsonList",
    "JsonNested",
    "JsonObject",
    "JsonSchema",
    "JsonString",
    "QueryBool",
    "QueryInt",
    "QueryJson",
    "QueryString",
    "QueryStrings",
    "RoomAliasField",
    "RoomIdField",
    "ServerNameField",
    "UserIdField",
    "dump",
    "json_reply",
    "load",
    "load_object",
    "load_query",
    "read_json",
]


class JsonSchema(Schema):
    """A schema that ignores keys it does not know, nested ones included."""

    class Meta:
        unknown = EXCLUDE


class JsonNested(fields.Nested):
    """An object inside the body, read by a schema of its own."""

    default_error_messages = {"required": REQUIRED, "null": "must not be null"}  # noqa: RUF012 - marshmallow's own form

    def __init__(self, nested: Schema | type[Schema], **kwargs: Any) -> None:
        kwargs.setdefault("unknown", EXCLUDE)
        super().__init__(nested, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(f"must be an object, not {kind_of(value)}")
        return super()._deserialize(value, *args, **kwargs)


def load(schema: Schema, request: Request, max_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """The checked values of the JSON object in the body, under the schema's own names.

    No body at all counts as `{}`, which passes where no key is required.
    Raises: `TooLarge`, `NotJson`, `BadJson`, and `MissingParam` where nothing is wrong but that a key is missing.
    """
    return load_object(schema, read_object(request, max_bytes, may_be_empty=True))


def load_object(schema: Schema, obj: dict[str, Any]) -> dict[str, Any]:
    """As `load`, for an object that was read before, such as one of several forms of a body."""
    try:
        loaded: dict[str, Any] = schema.load(obj, unknown=EXCLUDE)
    except ValidationError as error:
        raise _refusal(error, BadJson, MissingParam) from error
    return loaded


def load_query(schema: Schema, request: Request) -> dict[str, Any]:
    """The checked query parameters; of one given twice the first counts, unless its field is `QueryStrings`.

    Raises: `InvalidParam`, `MissingParam`.
    """
    arguments = request.args
    given: dict[str, Any] = {}
    for name, field in schema.load_fields.items():
        key = field.data_key or name
        if key in arguments:
            given[key] = arguments.getlist(key) if getattr(field, "is_repeated", False) else arguments[key]
    try:
        loaded: dict[str, Any] = schema.load(given, unknown=EXCLUDE)
    except ValidationError as error:
        raise _refusal(error, InvalidParam, MissingParam) from error
    return loaded


def _refusal(error: ValidationError, wrong: type[MatrixError], missing: type[MatrixError]) -> MatrixError:
    """The first problem found, as an error: a wrong value goes before a missing one."""
    problems = list(_problems(error.messages, ""))
    for path, message in problems:
        if message != REQUIRED:
            return wrong(_sentence(path, message))
    path, message = problems[0]
    return missing(_sentence(path, message))


def _sentence(path: str, message: str) -> str:
    text = message[:1].lower() + message[1:].rstrip(".")
    return f"'{path}' {text}." if path else f"The request {text}."


def _problems(messages: Any, path: str) -> Any:
    """Each (path of the key, message) in marshmallow's nested form."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            name = str(key)[:100]
            yield from _problems(inner, path if key == "_schema" else f"{path}.{name}" if path else name)
    elif isinstance(messages, list):
        for inner in messages:
            yield from _problems(inner, path)
    else:
        yield path, str(messages)
