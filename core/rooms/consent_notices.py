"""Notices that ask users to accept the server's terms: one for each user and version.

A consumer of the log for new users; a chore for those who were here when a new version came into force.
Settings: `user_consent.server_notice_content`, `send_server_notice_to_guests`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from core.accounts.consent import LINK
from core.accounts.terms import Terms
from core.errors import MatrixError
from core.ids import Position, UserNid
from core.rooms.server_notices import ServerNotices
from core.storage.consent_notices import ConsentNoticeStore
from core.storage.consumers import Apply
from core.storage.log import Kind, Line
from core.storage.users import User, UserStore
from core.storage.writer import Transaction, Writer

logger = logging.getLogger(__name__)


class ConsentNotices:
    """Follows USER_STATUS lines. Implements core.storage.consumers.Consumer."""

    name = "rooms.consent_notices"
    kinds: Collection[Kind] = (Kind.USER_STATUS,)

    def __init__(
        self,
        notices: ServerNotices,
        terms: Terms,
        users: UserStore,
        store: ConsentNoticeStore,
        writer: Writer,
        content: Mapping[str, Any] | None,
        to_guests: bool,
    ) -> None:
        self._notices = notices
        self._terms = terms
        self._users = users
        self._store = store
        self._writer = writer
        self._content = content if notices.speaker_id is not None and terms.is_in_force else None
        self._to_guests = to_guests
        self._is_done = False

    def handle(self, lines: list[Line]) -> Apply | None:
        """Write to those who are new."""
        if self._content is not None:
            for user in self._users.find_many({UserNid(line.subject) for line in lines}).values():
                self._ask(user)
        return None

    def resynchronise(self, upto: Position) -> Apply | None:
        """Nothing to do: lines about users are kept, one a user, and never lie below the horizon."""
        return None

    def ask_all(self) -> int:
        """Write to everybody who has not accepted the version in force, once after each start; how many."""
        if self._content is None or self._is_done:
            return 0
        asked, after = 0, ""
        while page := self._users.listed(after, 100, guests=self._to_guests):
            asked += sum(self._ask(user) for user in page)
            after = page[-1].user_id
        self._is_done = True
        return asked

    def _ask(self, user: User) -> bool:
        if not self._is_due(user):
            return False
        try:
            self._notices.send(user, _filled(self._content, self._terms.link(user.user_id)))
        except MatrixError as error:
            logger.warning("%s could not be asked to accept the terms: %s", user.user_id, error.sentence)
            return False

        def note(transaction: Transaction) -> None:
            self._store.put(transaction, user.user_nid, self._terms.version)

        self._writer.submit(note)
        return True

    def _is_due(self, user: User) -> bool:
        if user.is_deactivated or user.appservice_id is not None or user.user_id == self._notices.speaker_id:
            return False
        if user.consent_version == self._terms.version or (user.is_guest and not self._to_guests):
            return False
        return self._store.version_of(user.user_nid) != self._terms.version


def _filled(content: Any, link: str) -> Any:
    """The content with the link in its strings."""
    if isinstance(content, str):
        return content.replace(LINK, link)
    if isinstance(content, Mapping):
        return {key: _filled(value, link) for key, value in content.items()}
    if isinstance(content, list):
        return [_filled(value, link) for value in content]
    return content
