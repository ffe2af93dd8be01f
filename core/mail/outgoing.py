"""Sending mail: what a service wants said, rendered, addressed and handed to the transport in force.

An address that could smuggle anything into a header never gets here as an address: `is_mail_address` is narrow, and a
mail with a line break in subject, recipient or header is refused before the transport sees it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from gevent.pool import Pool

from core.errors import Unavailable
from core.hooks.declarations import Mail, MailTransport
from core.hooks.errors import PluginFailed
from core.hooks.manager import PluginManager
from core.hooks.specs import contributions
from core.mail.templates import Templates

LOG = logging.getLogger(__name__)

SEND_SECONDS = 60.0
"""How long a transport may take for one mail."""
WAITING_MAILS = 20
"""Mails under way in the background at most; who would send one more waits."""

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]+"
_LABEL = r"[A-Za-z0-9\u00a1-\U0010ffff](?:[A-Za-z0-9\u00a1-\U0010ffff-]*[A-Za-z0-9\u00a1-\U0010ffff])?"
_ADDRESS = rf"{_LOCAL}(?:\.{_LOCAL})*@{_LABEL}(?:\.{_LABEL})*"  # compiled, for 20 ms, with the first address


def is_mail_address(text: str) -> bool:
    """Whether this is an address mail can be sent to: no quoting, no comments, no control characters."""
    return (
        len(text.encode("utf-8", "replace")) <= 254 and text.isprintable() and re.fullmatch(_ADDRESS, text) is not None
    )


def canonical_mail_address(address: str) -> str:
    """The form under which an address is kept and compared: case folded."""
    return address.casefold()


class Mailer:
    """Sends mail by the transport that a plugin contributes. Without one it cannot."""

    def __init__(
        self, plugins: PluginManager, templates: Templates, app_name: str, subjects: Mapping[str, str] | None = None
    ) -> None:
        """`subjects` are by kind, such as `password_reset`, with `%(app)s` and `%(server_name)s` already filled in."""
        found = plugins.contribution(contributions.contribute_mail_transport)
        self._plugins = plugins
        self._plugin = None if found is None else found.plugin
        self._transport: MailTransport | None = None if found is None else found.item
        self._templates = templates
        self._app_name = app_name
        self._subjects = subjects or {}
        self._pool = Pool(WAITING_MAILS)

    @property
    def can_send(self) -> bool:
        """Whether there is a transport."""
        return self._transport is not None

    def send(self, mail: Mail) -> None:
        """Hand one mail over. Raises: `Unavailable` where there is no transport, or it does not take the mail."""
        transport, plugin = self._transport, self._plugin
        if transport is None or plugin is None:
            raise Unavailable("This server sends no mail.")
        headers = [mail.to, mail.subject, *mail.headers, *mail.headers.values()]
        if not all(text.isprintable() for text in headers):
            raise Unavailable("This mail cannot be sent: its headers have characters that headers must not have.")
        try:
            self._plugins.run(plugin, "mail_transport:send", SEND_SECONDS, transport.send, mail)
        except PluginFailed as error:
            raise Unavailable("The mail could not be sent; please try again later.") from error

    def send_template(self, kind: str, to: str, **variables: str) -> None:
        """Render the templates of a kind and send them. Raises: as `send`."""
        text = self._templates.render(f"{kind}.txt", app_name=self._app_name, **variables)
        html = self._templates.render(f"{kind}.html", app_name=self._app_name, **variables)
        subject = self._subjects.get(kind, f"{self._app_name}: please confirm your e-mail address")
        self.send(Mail(to, subject, text, html))

    def send_template_later(self, kind: str, to: str, **variables: str) -> None:
        """As `send_template`, without waiting; a failure is logged. For where waiting would tell something."""
        self._pool.spawn(self._send_quietly, kind, to, variables)

    def stop(self) -> None:
        """Wait for the mails under way, for ten seconds at most."""
        self._pool.join(timeout=10)
        self._pool.kill()

    def _send_quietly(self, kind: str, to: str, variables: Mapping[str, str]) -> None:
        try:
            self.send_template(kind, to, **variables)
        except Unavailable as error:
            LOG.warning("A mail of kind %s could not be sent: %s", kind, error.sentence)
