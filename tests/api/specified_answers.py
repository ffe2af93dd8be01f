"""What the specification's OpenAPI files say about answers; without the files every answer passes.

`TRELLIS_SPEC` names the folder with the specification's `data/api`.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.house.routes import specified_operations

SPEC = Path(os.environ.get("TRELLIS_SPEC") or os.devnull)


OTHERWISE = ("event_fields", "event_format", "org.matrix.msc4140.delay")
"""Parameters by which a request asks for an answer that the files do not describe: cut or federated events, delays."""


def is_known() -> bool:
    """Whether the files are here."""
    return (SPEC / "data" / "api").is_dir()


def problems_of_request(method: str, url: str, status: int, answer: object) -> list[str]:
    """What is wrong with an answer to a request; nothing where the specification knows no such operation."""
    path = urlsplit(url).path.replace("/_matrix/client/r0/", "/_matrix/client/v3/")
    operation = next((name for name, pattern in _patterns().get(method, ()) if pattern.fullmatch(path)), None)
    if operation is None or any(word in url for word in OTHERWISE):
        return []
    if status >= 400 and status != 401:
        is_error = isinstance(answer, dict) and isinstance(answer.get("errcode"), str) and "error" in answer
        return [] if is_error else [f"{operation}: {answer!r} is no Matrix error"]
    return problems_of(operation, status, answer)


def problems_of(operation: str, status: int, answer: object) -> list[str]:
    """What is wrong with an answer to the operation of this `operationId`, one sentence each."""
    if operation not in _places():
        return []
    file, pointer, statuses = _places()[operation]
    if str(status) not in statuses:
        return [] if status >= 400 else [f"{operation} answers {status}; specified are {', '.join(statuses)}"]
    validator = _validator(f"{file.as_uri()}#{pointer}/{status}/content/application~1json/schema")
    # a `oneOf` whose error has no context is one that several schemas fit, where the files are imprecise
    found = [error for error in validator.iter_errors(answer) if error.validator != "oneOf" or error.context]
    return [f"{operation}: {'/'.join(map(str, error.path))}: {error.message}" for error in found]


@cache
def _places() -> dict[str, tuple[Path, str, list[str]]]:
    """For each operation: its file, the JSON pointer of its answers, and those of them that have a JSON schema."""
    found = {}
    for file in sorted(SPEC.glob("data/api/client-server/*.yaml")):
        for path, methods in yaml.safe_load(file.read_text()).get("paths", {}).items():
            for method, operation in methods.items():
                if not isinstance(operation, dict) or "operationId" not in operation:
                    continue
                answers = operation["responses"]
                with_schema = [
                    status
                    for status, answer in answers.items()
                    if "schema" in answer.get("content", {}).get("application/json", {})
                ]
                escaped = path.replace("~", "~0").replace("/", "~1")
                pointer = f"/paths/{escaped}/{method}/responses".replace("{", "%7B").replace("}", "%7D")
                found[operation["operationId"]] = (file.absolute(), pointer, with_schema)
    return found


@cache
def _patterns() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """(operation, what its path looks like) by method, those with the fewest parameters first."""
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for operation in sorted(specified_operations(), key=lambda one: one.path.count("{")):
        if operation.api == "client-server":
            # a state key may be empty
            spelled = re.escape(operation.path.strip()).replace(r"\{stateKey\}", "[^/]*")
            pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", spelled))
            found.setdefault(operation.method, []).append((operation.name, pattern))
    return found


@cache
def _validator(reference: str) -> Any:
    """A validator of what is referred to, whose references are read from the files they name."""
    from jsonschema import Draft202012Validator  # only where there are files
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    def retrieve(uri: str) -> Any:
        return Resource(_contents(uri), specification=DRAFT202012)

    registry: Any = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    return Draft202012Validator({"$ref": reference}, registry=registry)


@cache
def _contents(uri: str) -> Any:
    return yaml.safe_load(Path(uri.removeprefix("file://")).read_text())
