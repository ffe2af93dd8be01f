"""What a mail about missed messages is headed with: `email.subjects`, or these."""

from __future__ import annotations

import re
from collections.abc import Mapping

DEFAULTS: Mapping[str, str] = {
    "message_from_person_in_room": "[%(app)s] A message from %(person)s in %(room)s",
    "message_from_person": "[%(app)s] A message from %(person)s",
    "messages_from_person": "[%(app)s] Messages from %(person)s",
    "messages_in_room": "[%(app)s] Messages in %(room)s",
    "messages_in_room_and_others": "[%(app)s] Messages in %(room)s and other rooms",
    "messages_from_person_and_others": "[%(app)s] Messages from %(person)s and others",
    "invite_from_person": "[%(app)s] %(person)s would like to talk to you",
    "invite_from_person_to_room": "[%(app)s] %(person)s invites you to %(room)s",
    "invite_from_person_to_space": "[%(app)s] %(person)s invites you to the space %(space)s",
}
MAX_VALUE = 100
"""So much of the name of a person or room is shown."""


class Subjects:
    """Makes subjects. `given` are the administrator's, by the same keys."""

    def __init__(self, given: Mapping[str, object], app_name: str) -> None:
        self._subjects = {key: str(given.get(key, default)) for key, default in DEFAULTS.items()}
        self._app_name = app_name

    def make(self, kind: str, **values: str) -> str:
        """The subject of a kind, with what others chose as their names made safe for a header."""
        known = {"app": self._app_name, **values}
        text = re.sub(r"%\((\w+)\)s", lambda match: _safe(known.get(match[1], "")), self._subjects[kind])
        return _safe(text, 2 * MAX_VALUE)


def _safe(text: str, length: int = MAX_VALUE) -> str:
    return "".join(character for character in " ".join(text.split()) if character.isprintable())[:length]
