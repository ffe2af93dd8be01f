"""What the specification's OpenAPI files say about answers; without the files every answer passes.

`TRELLIS_SPEC` names the folder with the specification's `data/api`.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SPEC = Path(os.environ.get("TRELLIS_SPEC") or os.devnull)


def problems_of(operation: str, status: int, answer: object) -> list[str]:
    """What is wrong with an answer to the operation of this `operationId`, one sentence each."""
    if operation not in _places():
        return []
    file, pointer, statuses = _places()[operation]
    if str(status) not in statuses:
        return [] if status >= 400 else [f"{operation} answers {status}; specified are {', '.join(statuses)}"]
    schema = {"$ref": f"{file.as_uri()}#{pointer}/{status}/content/application~1json/schema"}
    validator = _validator(schema)
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


def _validator(schema: dict[str, Any]) -> Any:
    """A validator whose references are read from the files they name."""
    from jsonschema import Draft202012Validator  # only where there are files
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    def retrieve(uri: str) -> Any:
        return Resource(_contents(uri), specification=DRAFT202012)

    registry: Any = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    return Draft202012Validator(schema, registry=registry)


@cache
def _contents(uri: str) -> Any:
    return yaml.safe_load(Path(uri.removeprefix("file://")).read_text())
