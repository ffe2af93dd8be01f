"""Pushers of local users: set, listed, removed. Spec: Client-Server API, "Push Notifications"."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from core.errors import BadRequest, InvalidParam, MissingParam
from core.ids import Requester, UserNid
from core.storage.devices import DeviceStore
from core.storage.pushers import HTTP, MAIL, MAIL_APP, Pusher, PusherStore
from core.storage.transaction import Transaction
from core.storage.writer import Writer

GATEWAY_PATH = "/_matrix/push/v1/notify"
MAX_DETAILS_BYTES = 16_384
"""Largest description of a pusher, as JSON."""
MAX_APP_ID = 64
NEEDED = ("app_display_name", "device_display_name", "lang", "data")


class Pushers:
    """Sets and lists pushers. `may_mail` says whether an address is a user's, and one that they may be mailed at."""

    def __init__(
        self,
        store: PusherStore,
        devices: DeviceStore,
        writer: Writer,
        may_mail: Callable[[Requester, str], bool] | None = None,
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._store = store
        self._devices = devices
        self._writer = writer
        self._may_mail = may_mail
        self._now_ms = now_ms

    def of(self, user: UserNid) -> list[dict[str, Any]]:
        """A user's pushers, as clients see them."""
        return [
            {"app_id": one.app_id, "pushkey": one.pushkey, "kind": one.kind, **orjson.loads(one.details)}
            for one in self._store.of_user(user)
        ]

    def set(
        self, requester: Requester, kind: str, app_id: str, pushkey: str, details: Mapping[str, Any], append: bool
    ) -> None:
        """Set a pusher. Raises: MissingParam, InvalidParam, and BadRequest for an address that is not the user's."""
        if len(app_id) > MAX_APP_ID:
            raise InvalidParam(f"'app_id' may have {MAX_APP_ID} characters.")
        missing = [name for name in NEEDED if details.get(name) is None]
        if missing:
            raise MissingParam(f"Missing parameters: {', '.join(missing)}.")
        self._check(requester, kind, app_id, pushkey, details["data"])
        kept = orjson.dumps({key: value for key, value in details.items() if value is not None})
        if len(kept) > MAX_DETAILS_BYTES:
            raise InvalidParam(f"The description of a pusher may have {MAX_DETAILS_BYTES} bytes.")

        def write(transaction: Transaction) -> None:
            device = (
                requester.device_id if kind == HTTP else None
            )  # mails come to the account, whatever it is used with
            nid = 0 if device is None else self._devices.find_nid_in(transaction, requester.user_nid, device) or 0
            pusher = Pusher(0, requester.user_nid, app_id, pushkey, kind, nid, kept, self._now_ms())
            self._store.set(transaction, pusher, append)

        self._writer.submit(write, requester.user_nid)

    def _check(self, requester: Requester, kind: str, app_id: str, pushkey: str, data: Mapping[str, Any]) -> None:
        if kind == HTTP:
            _check_url(data)
        elif kind == MAIL and self._may_mail is not None:
            if app_id != MAIL_APP:
                raise InvalidParam(f"'app_id' must be {MAIL_APP} for a pusher of the kind email.")
            if not self._may_mail(requester, pushkey):
                raise BadRequest("'pushkey' is no e-mail address of yours.", errcode="M_THREEPID_NOT_FOUND")
        else:
            kinds = HTTP if self._may_mail is None else f"{HTTP} and {MAIL}"
            raise InvalidParam(
                f"'kind' is {kind[:50]!r}; this server has pushers of the kind {kinds}, and null removes one."
            )

    def remove(self, user: UserNid, app_id: str, pushkey: str) -> None:
        """Remove a pusher; nothing happens where there is none."""
        self._writer.submit(lambda transaction: self._store.remove_of_user(transaction, user, app_id, pushkey), user)


def _check_url(data: Mapping[str, Any]) -> None:
    url = data.get("url")
    if not isinstance(url, str):
        raise MissingParam("'data.url' is required for an http pusher.")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidParam("'data.url' is no URL.") from error
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.path != GATEWAY_PATH:
        raise InvalidParam(f"'data.url' must be an https URL with the path {GATEWAY_PATH}.")
