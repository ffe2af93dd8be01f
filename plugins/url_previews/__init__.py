"""Previews of links: what a page says of itself, read by the server so that clients need not visit it."""

from plugins.url_previews.plugin import UrlPreviews

__all__ = ["UrlPreviews"]
