"""Random steps: each does something on the server, predicts whether it is allowed, and tells the model.

What is refused must be refused with M_FORBIDDEN unless the step says otherwise; the model stays as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.api.client.sync_room import at
from tests.model import unread
from tests.model.events import Event
from tests.model.rooms import Room
from tests.model.world import World
from tests.servers.trellis import Refused, User

MOST_EVENTS = 120
"""A room with so many events is given up for a new one."""
ABANDONED = 0.05
"""How likely a room with too few people in it is given up, at each step."""
YOUNG = 25
"""With so few events a room of one may still find people."""
MOST_ROOMS = 4
NOTE = "org.example.note"
VERSIONS = (9, 10, 11, 12)


class Steps:
    """What users do. `did` says it in words, newest last."""

    def __init__(self, world: World, users: Sequence[User], rng: Random) -> None:
        self.world, self.rng = world, rng
        self.users = {user.user_id: user for user in users}
        self.did: list[str] = []
        self.kinds: Counter[str] = Counter()
        """How often each kind of step was done."""
        self._deck: list[Callable[[Room, User], None]] = []
        self._count = 0

    def step(self) -> None:
        """Do one thing."""
        over = [room for room in self.world.rooms.values() if self._is_over(room)]
        if over:
            self.kinds["wind_up"] += 1
            self.wind_up(over[0])
        elif len(self.world.rooms) < MOST_ROOMS:
            self.kinds["create"] += 1
            self.create()
        else:
            room = self.rng.choice(list(self.world.rooms.values()))
            here = room.joined if self.rng.random() < 0.6 else []  # most is done by who may do it
            user = self.users[self.rng.choice(here or list(self.users))]
            doing = self._deal()
            self.kinds[doing.__name__] += 1
            self.did.append(f"{user.user_id} {doing.__name__} {room.room_id}")
            doing(room, user)

    def all_kinds(self) -> set[str]:
        """What kinds of steps there are."""
        return {"wind_up", "create", *(doing.__name__ for doing in self._doings())}

    def _deal(self) -> Callable[[Room, User], None]:
        """The next kind of step, from a shuffled deck, so that each comes as often as it should also in a short run."""
        if not self._deck:
            self._deck = [doing for doing, times in self._doings().items() for _ in range(times)]
            self.rng.shuffle(self._deck)
        return self._deck.pop()

    def _doings(self) -> dict[Callable[[Room, User], None], int]:
        return {
            self.send: 14,
            self.mention: 4,
            self.reply_in_thread: 9,
            self.edit: 6,
            self.react: 4,
            self.refer: 2,
            self.redact: 6,
            self.read: 12,
            self.set_state: 4,
            self.join: 12,
            self.leave: 3,
            self.invite: 4,
            self.kick: 2,
            self.ban: 2,
            self.unban: 2,
            self.knock: 2,
            self.forget: 1,
            self.mute: 2,
            self.be_quiet: 1,
            self.ignore: 2,
            self.tag: 1,
            self.mark_unread: 1,
            self.set_account_data: 1,
        }

    def create(self) -> None:
        """Somebody makes a room of some kind."""
        rng = self.rng
        creator, moderator = rng.sample(list(self.users.values()), 2)
        version, visibility = rng.choice(VERSIONS), rng.choice(["shared", "shared", "joined", "invited"])
        join_rule = rng.choice(["public", "public", "invite", "knock"])
        levels = {moderator.user_id: 50} | ({} if version >= 12 else {creator.user_id: 100})
        room_id = creator.create_room(
            preset="public_chat",
            room_version=str(version),
            power_level_content_override={"users": levels, "events": {NOTE: 0, "m.room.topic": 50}},
            initial_state=[
                {"type": "m.room.join_rules", "content": {"join_rule": join_rule}},
                {"type": "m.room.history_visibility", "content": {"history_visibility": visibility}},
            ],
        )
        room = Room(room_id, creator.user_id, version, join_rule)
        for seen in creator.get(f"{at(room_id)}/messages", dir="f", limit=100)["chunk"]:
            room.append(Event(seen["type"], seen["sender"], seen["content"], seen.get("state_key"), seen["event_id"]))
        self.world.rooms[room_id] = room
        self.did.append(f"{creator.user_id} create {room_id} {version} {visibility} {join_rule}")

    def wind_up(self, room: Room) -> None:
        """Everybody leaves a room and forgets it, and it is not spoken of again."""
        self.did.append(f"all leave {room.room_id}")
        for user in self.users.values():
            if room.members.get(user.user_id) in ("join", "invite", "knock"):
                user.post(f"{at(room.room_id)}/leave")
            if user.user_id in room.members:
                user.post(f"{at(room.room_id)}/forget")
        del self.world.rooms[room.room_id]

    def send(self, room: Room, user: User) -> None:
        """A plain message or a notice."""
        self._send(room, user, {"msgtype": self.rng.choice(["m.text", "m.text", "m.notice"]), "body": self._text()})

    def mention(self, room: Room, user: User) -> None:
        """A message that mentions somebody, or everybody."""
        mentions: dict[str, Any] = {"user_ids": [self.rng.choice(list(self.users))]}
        if self.rng.random() < 0.3:
            mentions = {"room": True}
        self._send(room, user, {"msgtype": "m.text", "body": self._text(), "m.mentions": mentions})

    def reply_in_thread(self, room: Room, user: User) -> None:
        """A message in a thread, which a mention may be in."""
        root = self._choose(room, user, is_relating=False)
        if root is not None:
            content = {"msgtype": "m.text", "body": self._text()}
            if self.rng.random() < 0.3:
                content["m.mentions"] = {"user_ids": [self.rng.choice(list(self.users))]}
            self._send(room, user, content | _relation("m.thread", root))

    def edit(self, room: Room, user: User) -> None:
        """An edit, mostly of an own message; one of another's is only a message that relates to it."""
        own = self.rng.random() < 0.8
        target = self._choose(room, user, sender=user.user_id if own else None)
        if target is not None:
            new = {"msgtype": "m.text", "body": self._text()}
            content = {"msgtype": "m.text", "body": f"* {new['body']}", "m.new_content": new}
            self._send(room, user, content | _relation("m.replace", target))

    def react(self, room: Room, user: User) -> None:
        """A reaction; the same twice is refused."""
        target, key = self._choose(room, user), self.rng.choice("abc")
        if target is None:
            return
        content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": target.event_id, "key": key}}
        again = any(
            one.sender == user.user_id and not one.is_redacted and one.content == content for one in room.events
        )
        is_here = room.members.get(user.user_id) == "join"
        self._send(room, user, content, "m.reaction", "M_DUPLICATE_ANNOTATION" if again and is_here else "")

    def refer(self, room: Room, user: User) -> None:
        """A message that refers to another."""
        target = self._choose(room, user)
        if target is not None:
            self._send(room, user, {"msgtype": "m.text", "body": self._text()} | _relation("m.reference", target))

    def redact(self, room: Room, user: User) -> None:
        """A redaction of a message, one's own or another's."""
        target = self._choose(room, user, sender=user.user_id if self.rng.random() < 0.6 else None)
        if target is None:
            return
        allowed = room.members.get(user.user_id) == "join" and (
            target.sender == user.user_id or room.level(user.user_id) >= 50
        )
        self._count += 1
        answer = self._try(allowed, lambda: user.put(f"{at(room.room_id)}/redact/{target.event_id}/r{self._count}", {}))
        if answer is not None:
            redacts = {"redacts": target.event_id}  # clients are told so in every room version
            redaction = Event("m.room.redaction", user.user_id, redacts, None, answer["event_id"])
            room.redact(target, redaction)

    def read(self, room: Room, user: User) -> None:
        """A receipt: public or private, for all or for one thread."""
        shown = self.world.timeline(room, user.user_id)
        if not shown or room.members.get(user.user_id) != "join":
            return
        kind, event = self.rng.choice(["m.read", "m.read.private"]), self.rng.choice(shown[-8:])
        thread = self.rng.choice(["", "", "main", event.thread])
        path = f"{at(room.room_id)}/receipt/{kind}/{event.event_id}"
        wrong = thread == "main" != event.thread and not event.is_redacted
        body = {"thread_id": thread} if thread else {}
        if event.event_id is None or self._try(not wrong, lambda: user.post(path, body), "M_INVALID_PARAM") is None:
            return
        unread.read(room, user.user_id, thread, event)
        key = (kind, user.user_id, thread)
        if key not in room.receipts or room.receipts[key].index < event.index:
            room.receipts[key] = event

    def set_state(self, room: Room, user: User) -> None:
        """A topic, which takes power, or a note, which takes none."""
        type_, key = self.rng.choice([("m.room.topic", ""), (NOTE, "x"), (NOTE, "y")])
        content = {"topic" if type_ == "m.room.topic" else "note": self._text()}
        allowed = room.members.get(user.user_id) == "join" and (type_ == NOTE or room.level(user.user_id) >= 50)
        event_id = self._try(allowed, lambda: {"event_id": user.set_state(room.room_id, type_, content, key)})
        if event_id is not None:
            room.append(Event(type_, user.user_id, content, key, event_id["event_id"]))

    def join(self, room: Room, user: User) -> None:
        """Somebody joins, or is there already."""
        before = room.members.get(user.user_id)
        allowed = before in ("join", "invite") or (room.join_rule == "public" and before != "ban")
        if self._try(allowed, lambda: user.post(f"/v3/join/{room.room_id}")) is not None and before != "join":
            self._member(room, user.user_id, user.user_id, "join")

    def leave(self, room: Room, user: User) -> None:
        """Somebody leaves, rejects an invite or takes back a knock; leaving twice does nothing."""
        before = room.members.get(user.user_id)
        allowed = before in ("join", "invite", "knock", "leave")
        if self._try(allowed, lambda: user.post(f"{at(room.room_id)}/leave")) is not None and before != "leave":
            self._member(room, user.user_id, user.user_id, "leave")

    def invite(self, room: Room, user: User) -> None:
        """Somebody invites somebody."""
        target = self._other(user)
        needed = room.state["m.room.power_levels", ""].content.get("invite", 0)
        allowed = self._is_in(room, user) and room.level(user.user_id) >= needed
        allowed = allowed and room.members.get(target) not in ("join", "ban")
        self._move(room, user, target, "invite", "invite", allowed)

    def kick(self, room: Room, user: User) -> None:
        """Somebody makes somebody leave."""
        target = self._other(user)
        allowed = self._may_move(room, user, target) and room.members.get(target) in ("join", "invite", "knock")
        self._move(room, user, target, "kick", "leave", allowed)

    def ban(self, room: Room, user: User) -> None:
        """Somebody bans somebody."""
        target = self._other(user)
        self._move(room, user, target, "ban", "ban", self._may_move(room, user, target))

    def unban(self, room: Room, user: User) -> None:
        """Somebody lifts a ban."""
        target = self._other(user)
        banned = [one for one, membership in room.members.items() if membership == "ban" and one != user.user_id]
        target = self.rng.choice(banned) if banned else target
        allowed = self._may_move(room, user, target) and bool(banned)
        errcode = "M_BAD_STATE" if self._is_in(room, user) and not banned else "M_FORBIDDEN"
        self._move(room, user, target, "unban", "leave", allowed, errcode)

    def knock(self, room: Room, user: User) -> None:
        """Somebody asks to be let in."""
        before = room.members.get(user.user_id)
        allowed = room.join_rule == "knock" and before in (None, "leave", "knock")
        if self._try(allowed, lambda: user.post(f"/v3/knock/{room.room_id}")) is not None:
            self._member(room, user.user_id, user.user_id, "knock")

    def forget(self, room: Room, user: User) -> None:
        """Somebody forgets a room, which they must have left."""
        membership = room.members.get(user.user_id)
        if membership is None:
            return
        allowed = membership in ("leave", "ban")
        if self._try(allowed, lambda: user.post(f"{at(room.room_id)}/forget"), "M_UNKNOWN") is not None:
            room.forgotten.add(user.user_id)

    def mute(self, room: Room, user: User) -> None:
        """A rule that silences a room comes or goes."""
        condition = {"kind": "event_match", "key": "room_id", "pattern": room.room_id}
        self._rule(room, user, "override", self.world.muted[user.user_id], {"conditions": [condition]})

    def be_quiet(self, room: Room, user: User) -> None:
        """A rule that leaves of a room only mentions comes or goes."""
        self._rule(room, user, "room", self.world.quiet[user.user_id], {})

    def ignore(self, room: Room, user: User) -> None:
        """Somebody ignores one user more, or less."""
        self.world.ignored[user.user_id] ^= {self._other(user)}
        listed = {"ignored_users": {one: {} for one in sorted(self.world.ignored[user.user_id])}}
        user.put(f"/v3/user/{user.user_id}/account_data/m.ignored_user_list", listed)
        self.world.account_data[user.user_id]["m.ignored_user_list"] = listed

    def tag(self, room: Room, user: User) -> None:
        """Somebody files a room."""
        if self._is_in(room, user):
            order = {"order": self.rng.random()}
            user.put(f"/v3/user/{user.user_id}/rooms/{room.room_id}/tags/m.favourite", order)
            room.account_data[user.user_id]["m.tag"] = {"tags": {"m.favourite": order}}

    def mark_unread(self, room: Room, user: User) -> None:
        """Somebody marks a room as unread, or not."""
        if self._is_in(room, user):
            content = {"unread": self.rng.random() < 0.5}
            user.put(f"/v3/user/{user.user_id}/rooms/{room.room_id}/account_data/m.marked_unread", content)
            room.account_data[user.user_id]["m.marked_unread"] = content

    def set_account_data(self, room: Room, user: User) -> None:
        """Somebody keeps something for all their devices."""
        content = {"value": self._text()}
        user.put(f"/v3/user/{user.user_id}/account_data/org.example.setting", content)
        self.world.account_data[user.user_id]["org.example.setting"] = content

    def _send(self, room: Room, user: User, content: dict, type_: str = "m.room.message", refused: str = "") -> None:
        allowed = self._is_in(room, user) and not refused
        answer = self._try(
            allowed, lambda: {"event_id": user.send(room.room_id, content, type_)}, refused or "M_FORBIDDEN"
        )
        if answer is not None:
            event = room.append(Event(type_, user.user_id, content, None, answer["event_id"]))
            unread.sent(self.world, room, event)

    def _move(
        self,
        room: Room,
        user: User,
        target: str,
        verb: str,
        membership: str,
        allowed: bool,
        errcode: str = "M_FORBIDDEN",
    ) -> None:
        body = {"user_id": target}
        if self._try(allowed, lambda: user.post(f"{at(room.room_id)}/{verb}", body), errcode) is not None:
            self._member(room, user.user_id, target, membership)

    def _member(self, room: Room, sender: str, target: str, membership: str) -> None:
        event = room.append(Event("m.room.member", sender, {"membership": membership}, target))
        unread.sent(self.world, room, event)

    def _rule(self, room: Room, user: User, kind: str, known: set[str], rule: dict) -> None:
        path = f"/v3/pushrules/global/{kind}/{room.room_id}"
        if room.room_id in known:
            user.call("DELETE", path)
        else:
            user.put(path, {"actions": [], **rule})
        known ^= {room.room_id}

    def _choose(
        self, room: Room, user: User, sender: str | None = None, is_relating: bool | None = None
    ) -> Event | None:
        """Some recent message that the user can see, if there is one."""
        found = [
            event
            for event in self.world.timeline(room, user.user_id)[-25:]
            if event.type == "m.room.message"
            and sender in (None, event.sender)
            and is_relating in (None, bool(event.relation[0]))
        ]
        return self.rng.choice(found) if found else None

    def _try(self, allowed: bool, call: Callable[[], dict], errcode: str = "M_FORBIDDEN") -> dict | None:
        """The answer of what is allowed; None for what is refused as it should be."""
        answer, refusal = None, None
        try:
            answer = call()
        except Refused as refused:
            refusal = refused
        self.did[-1] += f" {answer or refusal}"
        assert allowed == (refusal is None), f"{'allowed' if allowed else 'not allowed'}, but {answer or refusal}"
        assert refusal is None or refusal.errcode == errcode, f"refused with the wrong code: {refusal}"
        return answer

    def _is_over(self, room: Room) -> bool:
        """Whether enough has happened in a room, or nothing does any more, for want of people."""
        people = len(room.joined)
        is_dead = people == 0 or (people == 1 and len(room.events) > YOUNG)
        return len(room.events) > MOST_EVENTS or (is_dead and self.rng.random() < ABANDONED)

    def _is_in(self, room: Room, user: User) -> bool:
        return room.members.get(user.user_id) == "join"

    def _may_move(self, room: Room, user: User, target: str) -> bool:
        level = room.level(user.user_id)
        return self._is_in(room, user) and level >= 50 and level > room.level(target)

    def _other(self, user: User) -> str:
        return self.rng.choice([one for one in self.users if one != user.user_id])

    def _text(self) -> str:
        self._count += 1
        return f"text {self._count}"


def _relation(kind: str, parent: Event) -> dict[str, Any]:
    return {"m.relates_to": {"rel_type": kind, "event_id": parent.event_id}}
