"""A room of local users, for tests of what they do."""

from core.events.room_versions import V11, RoomVersion
from core.graph.appending.admission import CreatedRoom
from core.graph.drafts import Draft
from core.graph.graph import Graph
from core.ids import UserId

ANNA, BEN = UserId("@anna:here.test"), UserId("@ben:here.test")


def message(sender: UserId = ANNA, body: str = "hello") -> Draft:
    """A message to be."""
    return Draft("m.room.message", sender, {"body": body, "msgtype": "m.text"})


def member(sender: UserId, membership: str = "join", target: UserId | None = None) -> Draft:
    """A change of membership to be."""
    return Draft("m.room.member", sender, {"membership": membership}, target or sender)


def create_drafts(version: RoomVersion = V11) -> list[Draft]:
    """The first events of a public room of Anna's."""
    content = {"room_version": version.id} | ({} if version.implicit_creator else {"creator": ANNA})
    levels = {} if version.privileged_creators else {ANNA: 100}
    return [
        Draft("m.room.create", ANNA, content, ""),
        member(ANNA),
        Draft("m.room.power_levels", ANNA, {"users": levels}, ""),
        Draft("m.room.join_rules", ANNA, {"join_rule": "public"}, ""),
    ]


def create_room(graph: Graph, version: RoomVersion = V11) -> CreatedRoom:
    """A public room of Anna's."""
    return graph.write.create(version, create_drafts(version))
