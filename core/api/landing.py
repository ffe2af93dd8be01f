"""The page at `/`: for people who open the server's address in a browser and wonder what it is."""

from __future__ import annotations

from html import escape

from flask import Blueprint, redirect
from flask.typing import ResponseReturnValue

from core.ids import ServerName
from core.web.replies import page_reply

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{server_name}: a Matrix homeserver</title>
<style>
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 38rem; margin: 15vh auto; padding: 0 1.5rem;
  color: #222; background: #fdfdfb }}
h1 {{ font-size: 1.6rem; font-weight: 600 }}
code {{ background: #eee; padding: .1rem .3rem; border-radius: .2rem }}
@media (prefers-color-scheme: dark) {{ body {{ color: #ddd; background: #191b1a }} code {{ background: #333 }} }}
</style>
</head>
<body>
<h1>{server_name}</h1>
<p>A <strong>Matrix homeserver</strong> is running here: it keeps the accounts and conversations of its users, and
exchanges messages with other servers.</p>
<p>To use it, open a Matrix client and give <code>{server_name}</code> as the homeserver.</p>
<p>It runs Trellis.</p>
</body>
</html>
"""


def blueprint(server_name: ServerName, web_client: str | None = None) -> Blueprint:
    """The landing page, or the way to the web client where one is named.

    The page loads nothing and says nothing that the API does not say as well.
    """
    bp = Blueprint("landing", __name__)
    page = _PAGE.format(server_name=escape(server_name))

    @bp.get("/")
    def get_landing_page() -> ResponseReturnValue:
        """The page itself."""
        return page_reply(page) if web_client is None else redirect(web_client)

    return bp
