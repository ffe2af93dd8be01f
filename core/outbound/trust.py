"""Whose TLS certificates are believed.

There are two TLS contexts in a process, one that checks certificates and one that does not: making one costs 16 ms, and
a connection with its own half a megabyte.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from functools import cached_property

from core.events.globs import whole_pattern

_VERSIONS = {
    "1": ssl.TLSVersion.TLSv1,
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


class Trust:
    """What the configuration says about other machines' certificates."""

    def __init__(
        self,
        verify: bool = True,
        unverified: Sequence[str] = (),
        authorities: Sequence[str] | None = None,
        minimum_version: str = "1.2",
    ) -> None:
        self._verify = verify
        self._unverified = tuple(
            re.compile(whole_pattern(pattern.lower(), question_mark=False), re.DOTALL) for pattern in unverified
        )
        self._authorities = authorities
        self._minimum = _VERSIONS[minimum_version]

    def verifies(self, host: str) -> bool:
        """Whether the certificate of `host` is checked."""
        return self._verify and not any(pattern.match(host.lower()) for pattern in self._unverified)

    def context(self, is_verified: bool) -> ssl.SSLContext:
        """The context for a connection."""
        return self._checking if is_verified else self._believing

    @cached_property
    def _checking(self) -> ssl.SSLContext:
        if self._authorities is None:
            context = ssl.create_default_context()
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            for file in self._authorities:
                context.load_verify_locations(file)
        context.minimum_version = self._minimum
        return context

    @cached_property
    def _believing(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = self._minimum
        return context
