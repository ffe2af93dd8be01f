"""One call for all who want the same thing at the same time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from gevent.event import AsyncResult

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")
_ABANDONED = object()


class SingleFlight(Generic[_Key, _Value]):
    """Calls that are under way, by what they fetch."""

    def __init__(self) -> None:
        self._flights: dict[_Key, AsyncResult] = {}

    def do(self, key: _Key, fetch: Callable[[], _Value]) -> _Value:
        """What `fetch` returns or raises; who comes while it runs gets the same instead of a call of their own.

        Where the greenlet that fetches is stopped or runs out of its own time, one of those who wait takes over.
        """
        while True:
            flight = self._flights.get(key)
            if flight is None:
                return self._lead(key, fetch)
            found: Any = flight.get()
            if found is not _ABANDONED:
                value: _Value = found
                return value

    def _lead(self, key: _Key, fetch: Callable[[], _Value]) -> _Value:
        flight = self._flights[key] = AsyncResult()
        try:
            value = fetch()
        except Exception as error:
            flight.set_exception(error)
            raise
        except BaseException:
            flight.set(_ABANDONED)
            raise
        else:
            flight.set(value)
            return value
        finally:
            del self._flights[key]
