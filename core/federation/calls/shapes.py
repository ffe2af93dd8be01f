"""Reading the shape of answers: what is not as specified is the other server's mistake, and said so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.federation.remote_errors import RemoteNonsense, RemoteRefusal
from core.ids import ServerName


def objects(server: ServerName, answer: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The list of objects under `key`. Raises RemoteNonsense."""
    found = answer.get(key)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise RemoteNonsense(server, f"`{key}` must be a list of objects.")
    return found


def strings(server: ServerName, answer: Mapping[str, Any], key: str) -> list[str]:
    """The list of strings under `key`. Raises RemoteNonsense."""
    found = answer.get(key)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise RemoteNonsense(server, f"`{key}` must be a list of strings.")
    return found


def obj(server: ServerName, answer: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object under `key`. Raises RemoteNonsense."""
    found = answer.get(key)
    if not isinstance(found, dict):
        raise RemoteNonsense(server, f"`{key}` must be an object.")
    return found


def text(server: ServerName, answer: Mapping[str, Any], key: str) -> str:
    """The string under `key`. Raises RemoteNonsense."""
    found = answer.get(key)
    if not isinstance(found, str):
        raise RemoteNonsense(server, f"`{key}` must be a string.")
    return found


def whole(server: ServerName, found: Any) -> dict[str, Any]:
    """The answer itself, which must be an object. Raises RemoteNonsense."""
    if not isinstance(found, dict):
        raise RemoteNonsense(server, "it is not a JSON object.")
    return found


def of_v1(server: ServerName, found: Any) -> dict[str, Any]:
    """The object in a version 1 answer: `[200, {...}]`. Raises RemoteNonsense."""
    if not isinstance(found, list) or len(found) != 2 or not isinstance(found[1], dict):
        raise RemoteNonsense(server, "it must be a list of 200 and an object.")
    answer: dict[str, Any] = found[1]
    return answer


def is_unknown_endpoint(error: RemoteRefusal) -> bool:
    """Whether a server says that it does not know the endpoint, in the words of today or those of old releases."""
    if error.answered_errcode == "M_UNRECOGNIZED":
        return error.answered_status in {400, 404, 405}
    return error.answered_status == 404 and not error.answered_errcode
