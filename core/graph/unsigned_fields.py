"""Fields that plugins add to the `unsigned` of events in answers to clients."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import orjson

from core.graph.stored_event import StoredEvent
from core.hooks.declarations import UnsignedFields
from core.hooks.errors import PluginError, PluginFailed
from core.hooks.manager import Contribution, PluginManager
from core.ids import EventId, UserId

logger = logging.getLogger(__name__)

COMPOSE_SECONDS = 1.0
"""A plugin that takes longer is left out of the answer."""
TAKEN = frozenset(
    {
        "age",
        "age_ts",
        "invite_room_state",
        "knock_room_state",
        "m.relations",
        "membership",
        "prev_content",
        "prev_sender",
        "redacted_because",
        "replaces_state",
        "transaction_id",
    }
)
"""Names that the specification uses, or this server."""


class ContributedFields:
    """All fields that plugins contributed, composed for the events of one room at once."""

    def __init__(self, plugins: PluginManager, contributions: Sequence[Contribution[UnsignedFields]]) -> None:
        """Raises PluginError where two plugins would set the same field, or one a field of the specification's."""
        owners: dict[str, str] = dict.fromkeys(TAKEN, "the server itself")
        for one in contributions:
            for name in sorted(one.item.names):
                if name in owners:
                    raise PluginError(
                        f"The plugin {one.plugin} adds {name} to the unsigned of events, which is set by {owners[name]}."
                    )
                owners[name] = one.plugin
        self._plugins = plugins
        self._contributions = contributions

    def of(self, events: Sequence[StoredEvent], viewer: UserId) -> Mapping[EventId, bytes]:
        """The members of the JSON object, without its braces, for each event that gets any."""
        found: dict[EventId, list[bytes]] = {}
        for one in self._contributions:
            shown = [stored.event for stored in events]
            try:
                answer = self._plugins.run(
                    one.plugin, "unsigned_fields", COMPOSE_SECONDS, one.item.compose, viewer, shown
                )
                fields = {
                    event_id: [
                        orjson.dumps(name) + b":" + orjson.dumps(value)
                        for name, value in members.items()
                        if name in one.item.names
                    ]
                    for event_id, members in answer.items()
                }
            except PluginFailed:  # counted and logged by the guard
                continue
            except (AttributeError, TypeError) as error:  # no mapping of mappings, or no JSON
                logger.warning("The unsigned fields of the plugin %s cannot be written: %s", one.plugin, error)
                continue
            for event_id, members_of_event in fields.items():
                found.setdefault(event_id, []).extend(members_of_event)
        return {event_id: b",".join(members) for event_id, members in found.items() if members}
