"""Strict fields for JSON bodies and for query strings.

marshmallow's own are lenient: its Boolean takes `1` and `"yes"` for true, its Integer takes `"5"` and `5.0`. Matrix
does not. In a query everything is a string, so the `Query…` fields say how such a string is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from marshmallow import ValidationError, fields

from core.ids import MAX_ID_BYTES, is_event_id, is_room_alias, is_room_id, is_server_name, is_user_id
from core.web.json_body import MAX_DEPTH, MAX_INT, kind_of

REQUIRED = "is required"
"""The message of a key that is missing: what tells it from one that is wrong."""

MAX_STRING_BYTES = 65_536
"""Longest string in a body unless the field says otherwise: an event is not larger."""


class _Strict(fields.Field[Any]):
    """A field whose value must already be of its kind."""

    wanted = "a value"
    default_error_messages = {"required": REQUIRED, "null": "must not be null", "wrong": "must be {wanted}, not {kind}"}  # noqa: RUF012 - marshmallow's own form

    def _wrong(self, value: Any) -> Exception:
        return self.make_error("wrong", wanted=self.wanted, kind=kind_of(value))


class JsonAny(_Strict):
    """Any JSON value."""


class JsonBool(_Strict):
    """`true` or `false`."""

    wanted = "true or false"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self._wrong(value)
        return value


class JsonInt(_Strict):
    """An integer that canonical JSON can express; neither a boolean nor a float."""

    wanted = "an integer between -(2^53)+1 and 2^53-1"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if type(value) is not int or not -MAX_INT <= value <= MAX_INT:
            raise self._wrong(value)
        return value


class JsonString(_Strict):
    """A string of at most `max_bytes` UTF-8 bytes; with `allow_nul=False` without U+0000, `min_bytes=1` not empty."""

    wanted = "a string"
    default_error_messages = {  # noqa: RUF012 - marshmallow's own form
        "long": "must be at most {max_bytes} bytes long in UTF-8",
        "short": "must not be empty",
        "nul": "must not contain the character U+0000",
    }

    def __init__(
        self, *, max_bytes: int = MAX_STRING_BYTES, min_bytes: int = 0, allow_nul: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_bytes, self.min_bytes, self.allow_nul = max_bytes, min_bytes, allow_nul

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self._wrong(value)
        if len(value) * 4 > self.max_bytes and len(value.encode("utf-8", "surrogatepass")) > self.max_bytes:
            raise self.make_error("long", max_bytes=self.max_bytes)
        if self.min_bytes and not value:
            raise self.make_error("short")
        if not self.allow_nul and "\0" in value:
            raise self.make_error("nul")
        return value


class _Identifier(JsonString):
    """A string that the identifier grammar accepts."""

    grammar: Callable[[str], bool]
    default_error_messages = {"grammar": "must be {wanted}"}  # noqa: RUF012 - marshmallow's own form

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_bytes=MAX_ID_BYTES, allow_nul=False, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not type(self).grammar(text):
            raise self.make_error("grammar", wanted=self.wanted)
        return text


class UserIdField(_Identifier):
    """A user id."""

    wanted, grammar = "a user id such as @name:example.org", staticmethod(is_user_id)


class RoomIdField(_Identifier):
    """A room id."""

    wanted, grammar = "a room id such as !opaque:example.org", staticmethod(is_room_id)


class EventIdField(_Identifier):
    """An event id."""

    wanted, grammar = "an event id, which starts with $", staticmethod(is_event_id)


class RoomAliasField(_Identifier):
    """A room alias."""

    wanted, grammar = "a room alias such as #name:example.org", staticmethod(is_room_alias)


class ServerNameField(_Identifier):
    """A server name."""

    wanted, grammar = "a server name such as example.org:8448", staticmethod(is_server_name)


class JsonObject(_Strict):
    """An object; with `values`, each of its values is read by that field. Keys are kept as they are."""

    wanted = "an object"

    def __init__(self, values: fields.Field[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.values = values

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(value)
        if self.values is None:
            return value
        return {key: _within(key, self.values, item) for key, item in value.items()}


class JsonList(_Strict):
    """A list of at most `max_items`; with `items`, each of them is read by that field."""

    wanted = "a list"
    default_error_messages = {"many": "must have at most {max_items} entries"}  # noqa: RUF012 - marshmallow's own form

    def __init__(self, items: fields.Field[Any] | None = None, *, max_items: int = 10_000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.items, self.max_items = items, max_items

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self._wrong(value)
        if len(value) > self.max_items:
            raise self.make_error("many", max_items=self.max_items)
        if self.items is None:
            return value
        return [_within(index, self.items, item) for index, item in enumerate(value)]


class QueryString(JsonString):
    """A query parameter taken as it is. Constructor: as `JsonString`."""


class QueryInt(_Strict):
    """A query parameter that is a decimal integer."""

    wanted = "an integer in decimal digits"
    default_error_messages = {"digits": "must be an integer in decimal digits"}  # noqa: RUF012 - marshmallow's own form

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        digits = value[1:] if value[:1] == "-" else value
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 16) or int(digits) > MAX_INT:
            raise self.make_error("digits")
        return int(value)


class QueryBool(_Strict):
    """A query parameter that is `true` or `false`."""

    default_error_messages = {"truth": "must be true or false"}  # noqa: RUF012 - marshmallow's own form

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if value not in {"true", "false"}:
            raise self.make_error("truth")
        return bool(value == "true")


class QueryStrings(_Strict):
    """A query parameter that may be given several times, as `via`; the list of its values, each read by `items`."""

    is_repeated = True
    default_error_messages = {"many": "may be given at most {max_items} times"}  # noqa: RUF012 - marshmallow's own form

    def __init__(self, items: fields.Field[Any] | None = None, *, max_items: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.items, self.max_items = items, max_items

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[str]:
        if len(value) > self.max_items:
            raise self.make_error("many", max_items=self.max_items)
        if self.items is None:
            return list(value)
        return [self.items.deserialize(item) for item in value]


class QueryJson(_Strict):
    """A query parameter that holds a JSON object, as the `filter` of /sync and /messages."""

    default_error_messages = {"json": "must be a JSON object, nested at most {depth} deep"}  # noqa: RUF012 - marshmallow's own form

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, Any]:
        try:
            parsed = orjson.loads(value) if value.count("{") + value.count("[") <= MAX_DEPTH else None
        except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
            raise self.make_error("json", depth=MAX_DEPTH) from error
        if not isinstance(parsed, dict):
            raise self.make_error("json", depth=MAX_DEPTH)
        return parsed


def _within(key: str | int, field: fields.Field[Any], item: Any) -> Any:
    """Read one entry, filing its error under the entry's key."""
    try:
        return field.deserialize(item)
    except ValidationError as error:
        raise ValidationError({key: error.messages}) from error
