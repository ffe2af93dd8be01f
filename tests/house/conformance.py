"""Writes `docs/conformance.md`, and strikes what is served by now from `not_yet_served.txt`.

`python -m tests.house.conformance`. It never adds a line to the list: an endpoint that got lost must be noticed.
"""

from __future__ import annotations

from tests.house.routes import NOT_YET_SERVED, ROOT, Operation, declared_routes, shape, specified_operations

PAGE = ROOT / "docs" / "conformance.md"
_TITLES = {"client-server": "Client-Server API", "server-server": "Server-Server API"}
_OPENING = """# Conformance

Which operations of the Matrix specification (1.19) Trellis serves, and which not yet. Made from the source and the
specification's list by `python -m tests.house.conformance`; a test fails when this page is out of date. Paths of the
old prefix `r0` are served wherever `v3` is.

`/versions` says r0.6.1 and v1.1 to v1.19. What a server need not have and this one has not, it says where clients
look for it: without OAuth `/auth_metadata` answers 404, without SSO `/login` does not list it. Everything else of these
releases that is missing is marked below. Of proposals only those are in `unstable_features` that are served under the
names that clients ask for (core/wiring/features.py).
"""


def page() -> str:
    """The text of the page as it should be now."""
    served = declared_routes()
    return _OPENING + "".join(_section(api, title, served) for api, title in _TITLES.items())


def _section(api: str, title: str, served: set[tuple[str, str]]) -> str:
    operations = [operation for operation in specified_operations() if operation.api == api]
    count = sum(operation.route in served for operation in operations)
    parts = [f"\n## {title}\n\n{count} of {len(operations)} operations.\n"]
    for area in sorted({operation.area for operation in operations}):
        rows = [_row(operation, served) for operation in operations if operation.area == area]
        parts.append(f"\n### {area.capitalize()}\n\n| | Operation | |\n| --- | --- | --- |\n" + "".join(sorted(rows)))
    return "".join(parts)


def _row(operation: Operation, served: set[tuple[str, str]]) -> str:
    verdict = "served" if operation.route in served else "not yet"
    return f"| `{operation.method} {operation.path}` | {operation.name} | {verdict} |\n"


def _strike_served() -> None:
    served = declared_routes()
    lines = NOT_YET_SERVED.read_text().splitlines(keepends=True)
    kept = [line for line in lines if line[0] == "#" or (line.split()[0], shape(line.split()[1])) not in served]
    NOT_YET_SERVED.write_text("".join(kept))


if __name__ == "__main__":
    _strike_served()
    PAGE.write_text(page())
