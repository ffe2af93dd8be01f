"""Cases for `hsctl graph`: read one JSON document or JSON Lines, answer a line each.

Lines end at LF alone, since strings may hold U+2028 and its like. A case that is wrong is answered with
`{"error": sentence}` on its line; only input that cannot be read as a whole ends the command with exit code 2.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from core.errors import BadJson, MatrixError

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def answer_cases(source: str, answer: Answer, output: TextIO | None = None) -> int:
    """Answer every case of the file `source` (`-` is standard input) on `output`; the exit code."""
    output = sys.stdout if output is None else output
    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        cases = list(read_cases(raw.decode("utf-8")))
    except OSError as error:
        return _unreadable(output, f"{source} cannot be read: {error.strerror}.")
    except UnicodeDecodeError as error:
        return _unreadable(output, f"The input is not UTF-8: byte {error.start} is {raw[error.start]:#04x}.")
    if not cases:
        return _unreadable(output, "The input is empty; a case is a JSON object.")
    if all(isinstance(case, BadJson) for case in cases):
        return _unreadable(output, str(cases[0]))
    for case in cases:
        _write(output, {"error": str(case)} if isinstance(case, BadJson) else _answer_one(case, answer))
    return 0


def read_cases(text: str) -> Iterator[object]:
    """The JSON values of `text`, which is one document or one a line; a BadJson stands for a line that is no JSON."""
    lines = [line for line in text.split("\n") if line.strip(" \t\r")]
    if len(lines) > 1 and isinstance(_parse(lines[0], 1), BadJson):
        whole = _parse(text, 1)
        if not isinstance(whole, BadJson):
            yield whole
            return
    for number, line in enumerate(lines, 1):
        yield _parse(line, number)


def _parse(text: str, number: int) -> object:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        return BadJson(f"Case {number} is nested too deeply.")
    except ValueError as error:
        return BadJson(f"Case {number} is not JSON: {error}.")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _answer_one(case: object, answer: Answer) -> dict[str, Any]:
    if not isinstance(case, dict):
        return {"error": f"A case is a JSON object, not {json_kind(case)}."}
    try:
        return answer(case)
    except MatrixError as error:
        return {"error": error.sentence}
    except RecursionError:
        return {"error": "The case is nested too deeply."}


def json_kind(value: object) -> str:
    """What `value` is in JSON, for sentences."""
    kinds = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return "null" if value is None else kinds.get(type(value), "something else")


def _unreadable(output: TextIO, sentence: str) -> int:
    _write(output, {"error": sentence})
    return 2


def _write(output: TextIO, line: dict[str, Any]) -> None:
    output.write(json.dumps(line) + "\n")
