"""Random conversations: after each step every user's counts are what a model says, by news and by a fresh start."""

from __future__ import annotations

import json
import random
from urllib.parse import quote

import pytest

from tests.push.model import MAIN, WORD, Model
from tests.servers.trellis import Server, User

FILTER = json.dumps({"room": {"timeline": {"unread_thread_notifications": True, "limit": 1}}})
STEPS = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of their own."""
    server = Server(tmp_path_factory.mktemp("counts")).start()
    yield server
    server.stop()


class Life:
    """Users in a room, the model, and what each client was told last."""

    def __init__(self, server: Server, seed: int) -> None:
        self.random = random.Random(seed)
        self.users: dict[str, User] = {user.user_id: user for user in (server.register() for _ in range(4))}
        self.owner = next(iter(self.users))
        self.room = self.users[self.owner].create_room(preset="public_chat")
        for user in list(self.users.values())[1:]:
            user.join(self.room)
        self.model = Model(list(self.users))
        self.since: dict[str, str | None] = dict.fromkeys(self.users)
        self.told: dict[str, dict[str, tuple[int, int]]] = {user: {} for user in self.users}

    def step(self) -> str:
        """Something happens; what it was."""
        present = [user for user, member in self.model.members.items() if member.is_in]
        who = self.random.choice(present)
        what = self.random.choice(
            ["send"] * 8
            + ["thread"] * 3
            + ["edit", "redact", "read", "read", "read_thread", "private", "mute", "word"]
            + ["ignore", "leave", "rejoin"]
        )
        return f"{what} by {who}: {getattr(self, what)(who)}"

    def check(self) -> None:
        """Compare everybody in the room, by an incremental sync and, sometimes, by a new one."""
        for user_id, user in self.users.items():
            if not self.model.members[user_id].is_in:
                self.since[user_id] = None
                continue
            answer = user.sync(self.since[user_id], filter=FILTER)
            self.since[user_id] = answer["next_batch"]
            told = answer.get("rooms", {}).get("join", {}).get(self.room)
            if told is not None and "unread_notifications" in told:
                self.told[user_id] = _counts(told)
            expected = self.model.count(user_id)
            assert self.told[user_id] == expected, f"news for {user_id}"
            if self.random.random() < 0.2:
                assert _counts(user.sync(filter=FILTER)["rooms"]["join"][self.room]) == expected, (
                    f"a reload for {user_id}"
                )

    def send(self, who: str, relation: dict | None = None, thread: str = MAIN, is_edit: bool = False) -> str:
        body = self.random.choice(["hello", f"some {WORD}", "other words"])
        mentions = {user for user in self.users if self.random.random() < 0.15}
        content: dict = {"msgtype": "m.text", "body": body, "m.mentions": {"user_ids": sorted(mentions)}}
        if relation is not None:
            content["m.relates_to"] = relation
        event_id = self.users[who].send(self.room, content)
        self.model.send(event_id, who, body, thread, mentions, is_edit)
        return f"{event_id} {thread} {body} {mentions}"

    def thread(self, who: str) -> str:
        roots = [
            event.event_id
            for event in self.model.events[-40:]
            if event.thread == MAIN and not event.redacted and not event.is_edit
        ]
        if not roots:
            return "no root"
        root = self.random.choice(roots[:3])
        return self.send(who, {"rel_type": "m.thread", "event_id": root}, root)

    def edit(self, who: str) -> str:
        own = [one for one in self.model.events[-20:] if one.sender == who and not one.redacted and not one.is_edit]
        if not own:
            return "nothing"
        event = self.random.choice(own)
        return self.send(who, {"rel_type": "m.replace", "event_id": event.event_id}, event.thread, is_edit=True)

    def redact(self, who: str) -> str:
        own = [event for event in self.model.events[-10:] if event.sender == who and not event.redacted]
        if not own:
            return "nothing"
        event = self.random.choice(own)
        txn = self.random.random()
        self.users[who].put(f"/v3/rooms/{self.room}/redact/{quote(event.event_id, safe='')}/{txn}")
        event.redacted = True
        return event.event_id

    def read(self, who: str, kind: str = "m.read", threaded: bool = False) -> str:
        if not self.model.events:
            return "nothing"
        number = self.random.randrange(max(0, len(self.model.events) - 12), len(self.model.events))
        event = self.model.events[number]
        body = {"thread_id": event.thread} if threaded else {}
        path = f"/v3/rooms/{self.room}/receipt/{kind}/{quote(event.event_id, safe='')}"
        self.users[who].post(path, body)
        self.model.members[who].reads(event.thread if threaded else "", number)
        return f"{event.event_id} {body}"

    def read_thread(self, who: str) -> str:
        return self.read(who, threaded=True)

    def private(self, who: str) -> str:
        return self.read(who, "m.read.private", threaded=self.random.random() < 0.5)

    def mute(self, who: str) -> str:
        member, path = self.model.members[who], f"/v3/pushrules/global/override/{self.room}"
        member.muted = not member.muted
        if member.muted:
            condition = {"kind": "event_match", "key": "room_id", "pattern": self.room}
            self.users[who].put(path, {"actions": [], "conditions": [condition]})
        else:
            self.users[who].call("DELETE", path)
        return str(member.muted)

    def word(self, who: str) -> str:
        member, path = self.model.members[who], f"/v3/pushrules/global/content/{WORD}"
        member.watches_word = not member.watches_word
        if member.watches_word:
            self.users[who].put(path, {"actions": ["notify", {"set_tweak": "highlight"}], "pattern": WORD})
        else:
            self.users[who].call("DELETE", path)
        return str(member.watches_word)

    def ignore(self, who: str) -> str:
        ignored = {user for user in self.users if user != who and self.random.random() < 0.2}
        self.model.members[who].ignored = ignored
        path = f"/v3/user/{who}/account_data/m.ignored_user_list"
        self.users[who].put(path, {"ignored_users": {user: {} for user in ignored}})
        return str(ignored)

    def leave(self, who: str) -> str:
        if who == self.owner:
            return "not the owner"
        self.users[who].post(f"/v3/rooms/{self.room}/leave")
        self.model.members[who].is_in = False
        return ""

    def rejoin(self, who: str) -> str:
        gone = [user for user, member in self.model.members.items() if not member.is_in]
        for user in gone:
            self.users[user].join(self.room)
            self.model.members[user].is_in = True
            self.model.members[user].joined_at = len(self.model.events) - 1
            self.told[user] = {}
        return str(gone)


def _counts(told: dict) -> dict[str, tuple[int, int]]:
    found = {MAIN: told["unread_notifications"], **told.get("unread_thread_notifications", {})}
    counts = {thread: (one["notification_count"], one["highlight_count"]) for thread, one in found.items()}
    return {thread: count for thread, count in counts.items() if count != (0, 0)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_counts_are_those_of_a_simple_model(server, seed):
    life, history = Life(server, seed), []
    for _ in range(STEPS):
        history.append(life.step())
        try:
            life.check()
        except AssertionError as error:
            raise AssertionError("\n".join([*history[-15:], str(error)])) from error
