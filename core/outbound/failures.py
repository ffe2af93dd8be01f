"""Why there is no answer from outside, as sentences.

Unavailable
└── NoAnswer                 whatever kept an answer from coming; the same request may work later
    ├── NameUnknown          there is no such name, or no server that tells
    ├── NotConnected         nobody listens, or the way is closed
    ├── CertificateRefused   somebody answers who cannot prove to be the one meant
    ├── TookTooLong          the time allowed is over
    └── BrokenAnswer         what came is no HTTP, ends early, or is longer than allowed
Forbidden
└── AddressRefused           the server does not connect to that address for anybody
"""

from __future__ import annotations

from core.errors import Forbidden, Unavailable


class NoAnswer(Unavailable):
    """No answer came, or none that could be used."""


class NameUnknown(NoAnswer):
    """The name has no addresses."""


class NotConnected(NoAnswer):
    """No connection could be opened, or it broke before an answer came."""


class CertificateRefused(NoAnswer):
    """The certificate is not valid for the name it was asked for."""


class TookTooLong(NoAnswer):
    """The answer was not complete in time."""


class BrokenAnswer(NoAnswer):
    """The answer breaks HTTP, or a limit."""


class AddressRefused(Forbidden):
    """Every address of the name lies in a range that the configuration closes."""
