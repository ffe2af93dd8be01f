"""Finding users by name: those who share a room with the searcher or are in a public room."""

from plugins.user_directory.plugin import UserDirectory

__all__ = ["UserDirectory"]
