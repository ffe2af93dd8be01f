"""Searching messages, names and topics of rooms on the server."""

from plugins.message_search.plugin import MessageSearch

__all__ = ["MessageSearch"]
