"""What goes wrong between the server and its plugins."""

from __future__ import annotations

from core.errors import Unavailable


class PluginError(Exception):
    """A plugin that cannot be used, in one sentence that names it. The server does not start."""

    @property
    def sentence(self) -> str:
        """The sentence."""
        return str(self)


class PluginUnavailable(Unavailable):
    """A hook that fails closed got no answer from a plugin: 503, because nobody knows whether the answer is no."""


class PluginFailed(Exception):
    """A job, consumer or other contributed function failed, ran out of time, or belongs to a plugin switched off.

    The cause is logged and counted already; the caller decides when to try again.
    """


class PluginBusy(Exception):
    """Raised by a plugin that cannot answer now because too much is asked of it.

    The call has failed, as the hook's spec says, but it is no strike: load must not switch a plugin off.
    """
