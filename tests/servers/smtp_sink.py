"""A mail server that keeps what it is given: real SMTP on loopback, with or without TLS, in this process."""

from __future__ import annotations

import base64
import contextlib
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from gevent.server import StreamServer


@dataclass
class Received:
    """One mail as it came in."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    is_encrypted: bool
    login: tuple[str, str] | None

    @property
    def text(self) -> str:
        """The plain form."""
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    @property
    def link(self) -> str:
        """The first link in it."""
        found = re.search(r"https?://\S+", self.text)
        assert found is not None, self.text
        return found[0]


@dataclass
class SmtpSink:
    """`certificate` and `key` files make it offer STARTTLS, or with `is_implicit` speak TLS from the first byte."""

    certificate: Any = None
    key: Any = None
    is_implicit: bool = False
    refuses: bool = False
    mails: list[Received] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def to(self, address: str) -> list[Received]:
        """What came for one address, oldest first."""
        return [mail for mail in self.mails if mail.recipients == [address]]

    def context(self) -> ssl.SSLContext:
        """The server's side of TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    @contextlib.contextmanager
    def running(self) -> Iterator[SmtpSink]:
        """Listen for the length of the block."""
        options = {"ssl_context": self.context()} if self.is_implicit else {}
        self._server = StreamServer(("127.0.0.1", 0), self._serve, **options)
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop(timeout=1)

    def _serve(self, connection: Any, address: Any) -> None:
        conversation = _Conversation(self, connection)
        with contextlib.suppress(OSError):
            conversation.run()
        conversation.lines.close()
        conversation.connection.close()


class _Conversation:
    def __init__(self, sink: SmtpSink, connection: Any) -> None:
        self.sink, self.connection = sink, connection
        self.is_encrypted = sink.is_implicit
        self.lines = connection.makefile("rb")
        self.login: tuple[str, str] | None = None

    def say(self, text: str) -> None:
        self.connection.sendall(text.encode() + b"\r\n")

    def run(self) -> None:
        self.say("220 sink")
        sender, recipients = "", []
        while line := self.lines.readline():
            text = line.decode().rstrip("\r\n")
            verb = text.split(" ")[0].upper()
            if verb == "EHLO":
                offers_tls = self.sink.certificate is not None and not self.is_encrypted
                self.say("250-sink\r\n250-SMTPUTF8\r\n" + ("250-STARTTLS\r\n" if offers_tls else "") + "250 AUTH PLAIN")
            elif verb == "STARTTLS":
                self.say("220 go on")
                self.lines.close()
                self.connection = self.sink.context().wrap_socket(self.connection, server_side=True)
                self.lines, self.is_encrypted = self.connection.makefile("rb"), True
            elif verb == "AUTH":
                _, user, password = base64.b64decode(text.split(" ")[2]).decode().split("\0")
                self.login = (user, password)
                self.say("235 welcome")
            elif verb == "MAIL":
                sender, recipients = re.findall(r"<(.*?)>", text)[0], []
                self.say("550 no" if self.sink.refuses else "250 ok")
            elif verb == "RCPT":
                recipients.append(re.findall(r"<(.*?)>", text)[0])
                self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                self.sink.mails.append(self.received(sender, recipients))
                self.say("250 kept")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def received(self, sender: str, recipients: list[str]) -> Received:
        body = b""
        while (line := self.lines.readline()) not in (b".\r\n", b""):
            body += line[1:] if line.startswith(b"..") else line
        message: Any = message_from_bytes(body, policy=default)
        return Received(sender, recipients, message, self.is_encrypted, self.login)
