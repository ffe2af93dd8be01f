"""Who is online: the presence of local users from their syncs, and of others as their servers tell it."""

from plugins.presence.plugin import Presence

__all__ = ["Presence"]
