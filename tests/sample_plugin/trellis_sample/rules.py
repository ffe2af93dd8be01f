"""Judges whatever can be judged, by one rule: names on the list and words on the list are not welcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.hooks import ALLOW, Event, EventVerdict, PluginApi, PluginError, Reject, Replace, RoomView, Verdict, hookimpl


@dataclass(frozen=True)
class Lists:
    """`banned` are text fragments of ids, names and addresses; `words` of messages."""

    banned: tuple[str, ...] = ("mallory",)
    words: tuple[str, ...] = ("lottery",)


class Rules:
    """Bans by name and by word, and softens shouting."""

    def __init__(self, lists: Lists, api: PluginApi) -> None:
        self._lists = lists
        self._log = api.log

    @staticmethod
    def parse_config(config: Mapping[str, Any]) -> Lists:
        """Read `banned` and `words`, lists of text."""
        for key, value in config.items():
            if key not in {"banned", "words"}:
                raise PluginError(f"{key} is no setting of it; allowed are banned and words")
            if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
                raise PluginError(f"{key} is {value!r}; it must be a list of text")
        return Lists(**{key: tuple(value) for key, value in config.items()})

    @hookimpl
    def check_event_for_spam(self, event: Event, room: RoomView) -> Verdict | None:
        """No listed words, except in rooms whose topic invites them."""
        body = str(event.content.get("body", ""))
        if not any(word in body for word in self._lists.words):
            return None
        topic = room.state_event("m.room.topic")
        is_invited = topic is not None and "anything goes" in str(topic.content.get("topic"))
        return ALLOW if is_invited else Reject("M_FORBIDDEN", "Your message looks like spam.")

    @hookimpl
    def amend_event(self, event: Event) -> EventVerdict | None:
        """Messages in capitals are sent in small letters."""
        body = event.content.get("body")
        if isinstance(body, str) and len(body) > 3 and body.isupper():
            return Replace({**event.content, "body": body.lower()})
        return None

    @hookimpl
    def drop_federated_event(self, event: Event, origin: str) -> Verdict | None:
        """Nothing from listed servers or users."""
        return self._judge(origin, event.sender)

    @hookimpl
    def user_may_join(self, user_id: str, is_invited: bool) -> Verdict | None:
        """Listed users join only where they are invited."""
        return None if is_invited else self._judge(user_id)

    @hookimpl
    def user_may_invite(self, inviter: str, invitee: str) -> Verdict | None:
        """Neither by nor to listed users."""
        return self._judge(inviter, invitee)

    @hookimpl
    def user_may_send_3pid_invite(self, address: str) -> Verdict | None:
        """Not to listed addresses."""
        return self._judge(address)

    @hookimpl
    def user_may_create_room(self, user_id: str, request: Mapping[str, Any]) -> Verdict | None:
        """Not by listed users, not with listed names."""
        return self._judge(user_id, str(request.get("name", "")))

    @hookimpl
    def user_may_create_alias(self, alias: str) -> Verdict | None:
        """Not with listed names."""
        return self._judge(alias)

    @hookimpl
    def user_may_publish(self, user_id: str, is_public: bool) -> Verdict | None:
        """Listed users publish nothing, but may hide what they have published."""
        return self._judge(user_id) if is_public else None

    @hookimpl
    def user_may_send_state(self, event_type: str, content: Mapping[str, Any]) -> Verdict | None:
        """No listed names for rooms."""
        return self._judge(str(content.get("name", ""))) if event_type == "m.room.name" else None

    @hookimpl
    def check_media(self, name: str | None, head: bytes) -> Verdict | None:
        """Not with listed names, and no programs for Windows."""
        return Reject(reason="Programs are not allowed.") if head.startswith(b"MZ") else self._judge(name or "")

    @hookimpl
    def check_username(self, localpart: str) -> Verdict | None:
        """Not with listed names."""
        return Reject("M_EXCLUSIVE", "That name is taken.") if self._judge(localpart) else None

    @hookimpl
    def check_registration(self, threepids: Sequence[tuple[str, str]], user_agent: str) -> Verdict | None:
        """Not with listed addresses or programs."""
        return self._judge(user_agent, *(address for _, address in threepids))

    @hookimpl
    def check_login(self, ip: str, user_agent: str) -> Verdict | None:
        """Not from listed addresses or programs."""
        return self._judge(ip, user_agent)

    @hookimpl
    def may_bind_threepid(self, address: str) -> Verdict | None:
        """No listed addresses."""
        return self._judge(address)

    @hookimpl
    def may_shutdown_room(self, room_id: str) -> Verdict | None:
        """The rooms on the list must stay: they are evidence."""
        return self._judge(room_id)

    @hookimpl
    def may_deactivate_user(self, user_id: str) -> Verdict | None:
        """So must the users."""
        return self._judge(user_id)

    def _judge(self, *texts: str) -> Verdict | None:
        for text in texts:
            for name in self._lists.banned:
                if name in text:
                    self._log.info("refused %s", text)
                    return Reject("M_FORBIDDEN", f"{name} is not welcome here.")
        return None
