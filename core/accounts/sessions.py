"""Sessions: a device signed in with an access token, opened at login and registration, refreshed, and logged out.

Opening composes into the caller's transaction, so that an account and its first session are one commit. Whoever is
affected in any process hears of it by a USER_STATUS line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from core.accounts.clock import Clock, wall_clock_ms
from core.accounts.secrets import ACCESS_PREFIX, REFRESH_PREFIX, new_device_id, new_token, token_hash
from core.config.auth import AuthConfig
from core.errors import UnknownToken
from core.hooks.manager import PluginManager
from core.hooks.specs import observers
from core.ids import DeviceId, Requester, UserNid
from core.storage.access_tokens import AccessTokenStore, EndedToken, RefreshToken
from core.storage.devices import Device, DeviceNid, DeviceStore
from core.storage.log import Kind
from core.storage.writer import Transaction, Writer, advance


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What a client asks its session to be: a device it names or leaves to us, and whether it can refresh tokens."""

    device_id: DeviceId | None = None
    display_name: str | None = None
    can_refresh: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """What the client gets: the only time the tokens themselves are seen."""

    device_id: DeviceId
    access_token: str
    refresh_token: str | None = None
    expires_in_ms: int | None = None

    def answer(self) -> dict[str, str | int]:
        """The keys of the answers to /login, /register and /refresh, the device apart."""
        found: dict[str, str | int] = {"access_token": self.access_token}
        if self.refresh_token is not None:
            found["refresh_token"] = self.refresh_token
        if self.expires_in_ms is not None:
            found["expires_in_ms"] = self.expires_in_ms
        return found


class Sessions:
    """Opens, refreshes and closes sessions."""

    def __init__(
        self,
        devices: DeviceStore,
        tokens: AccessTokenStore,
        writer: Writer,
        auth: AuthConfig,
        now_ms: Clock = wall_clock_ms,
        plugins: PluginManager | None = None,
    ) -> None:
        self._devices = devices
        self._tokens = tokens
        self._writer = writer
        self._auth = auth
        self._now_ms = now_ms
        self._plugins = plugins

    def open(self, user_nid: UserNid, wanted: DeviceRequest) -> Session:
        """Open a session of an account that is there, in a transaction of its own.

        A new device is told to those who share a room, before it has keys: they are to ask for them in time.
        """

        def open_and_tell(transaction: Transaction) -> Session:
            named = wanted.device_id
            is_known = named is not None and self._devices.find_nid_in(transaction, user_nid, named) is not None
            session = self.open_in(transaction, user_nid, wanted)
            if not is_known:
                transaction.log(Kind.DEVICE_LIST, user_nid, user_nid, replaces=True)
            return session

        return self._writer.submit(open_and_tell, user_nid)

    def open_in(self, transaction: Transaction, user_nid: UserNid, wanted: DeviceRequest) -> Session:
        """Open a session. A device that exists keeps its name, and loses the tokens it had."""
        now_ms = self._now_ms()
        device_nid = None
        if wanted.device_id is not None:
            device_nid = self._devices.find_nid_in(transaction, user_nid, wanted.device_id)
        if device_nid is not None:
            self._tokens.drop_of_devices(transaction, (device_nid,))
            self._tell(transaction, user_nid)
            nid = advance(transaction, "accounts", 2) - 1
        else:
            surplus = self._devices.longest_unseen_in(transaction, user_nid, self._auth.max_devices_per_user - 1)
            self._close_in(transaction, user_nid, surplus)
            nid = advance(transaction, "accounts", 3) - 2
            device_nid = DeviceNid(nid + 2)
        device_id = wanted.device_id or DeviceId(new_device_id())
        if device_nid == nid + 2:
            self._devices.add(transaction, Device(device_nid, user_nid, device_id, wanted.display_name, now_ms))
        lifetime_ms = self._auth.session_lifetime
        session_expires_ms = None if lifetime_ms is None else now_ms + lifetime_ms
        if not wanted.can_refresh:
            expires_ms = _earliest(session_expires_ms, _after(now_ms, self._auth.nonrefreshable_access_token_lifetime))
            return self._issue(transaction, nid, user_nid, device_nid, device_id, now_ms, expires_ms)
        return self._issue_pair(transaction, nid, user_nid, device_nid, device_id, now_ms, session_expires_ms)

    def refresh(self, refresh_token: str) -> Session:
        """Exchange a refresh token for a new pair.

        Raises: `UnknownToken`, with `soft_logout=True` where the token or the session expired.
        Spec: Client-Server API, "Refreshing access tokens".
        """
        digest = token_hash(refresh_token)
        return self._writer.submit(lambda transaction: self._refresh_in(transaction, digest))

    def close(self, requester: Requester) -> None:
        """Log out: the access token and its device are gone. Spec: `POST /logout`."""
        if requester.device_id is not None:
            self.close_devices(requester.user_nid, [requester.device_id])
            return

        def close(transaction: Transaction) -> None:
            self._tokens.drop(transaction, requester.token_nid)
            self._tell(transaction, requester.user_nid)

        self._writer.submit(close, requester.user_nid)

    def close_devices(self, user_nid: UserNid, device_ids: Collection[DeviceId]) -> None:
        """Log some devices of a user out; ids that are not known are passed over."""
        wanted = set(device_ids)
        ended = self._ended(user_nid, wanted)

        def close(transaction: Transaction) -> None:
            found = [self._devices.find_nid_in(transaction, user_nid, device_id) for device_id in wanted]
            self._close_in(transaction, user_nid, [nid for nid in found if nid is not None])

        self._writer.submit(close, user_nid)
        self._announce(ended)

    def close_all(self, user_nid: UserNid) -> None:
        """Log out everywhere. Spec: `POST /logout/all`."""
        ended = self._ended(user_nid, None)
        self._writer.submit(lambda transaction: self.close_all_in(transaction, user_nid), user_nid)
        self._announce(ended)

    def close_all_in(self, transaction: Transaction, user_nid: UserNid) -> None:
        """As `close_all`, inside the caller's transaction, and without telling plugins."""
        self._tokens.drop_of_user(transaction, user_nid)
        self._devices.remove(transaction, user_nid, self._devices.nids_in(transaction, user_nid))
        self._tell(transaction, user_nid)

    def close_others_in(self, transaction: Transaction, user_nid: UserNid, own: DeviceId | None) -> None:
        """Log out everywhere but on the device `own`; None spares none."""
        spared = None if own is None else self._devices.find_nid_in(transaction, user_nid, own)
        devices = self._devices.nids_in(transaction, user_nid)
        if spared is None:
            self.close_all_in(transaction, user_nid)
            return
        self._close_in(transaction, user_nid, [nid for nid in devices if nid != spared])
        self._tokens.drop_without_device(transaction, user_nid)
        self._tell(transaction, user_nid)

    def _ended(self, user_nid: UserNid, device_ids: Collection[DeviceId] | None) -> list[EndedToken]:
        """The access tokens about to end, where a plugin wants to hear of them."""
        if self._plugins is None or not self._plugins.has(observers.logged_out):
            return []
        tokens = self._tokens.of_user(user_nid)
        return [token for token in tokens if device_ids is None or token.device_id in device_ids]

    def _announce(self, ended: Iterable[EndedToken]) -> None:
        if self._plugins is None:
            return
        for token in ended:
            self._plugins.tell(
                observers.logged_out,
                user_id=token.user_id,
                device_id=token.device_id,
                access_token_hash=token.token_hash.hex(),
            )

    def _close_in(self, transaction: Transaction, user_nid: UserNid, device_nids: list[DeviceNid]) -> None:
        if device_nids:
            self._tokens.drop_of_devices(transaction, device_nids)
            self._devices.remove(transaction, user_nid, device_nids)
            self._tell(transaction, user_nid)

    def _refresh_in(self, transaction: Transaction, digest: bytes) -> Session:
        now_ms = self._now_ms()
        old = self._tokens.find_refresh_in(transaction, digest)
        if old is None:
            raise UnknownToken("This refresh token is not known, or was used before.", soft_logout=False)
        end_ms = _earliest(old.expires_ms, old.session_expires_ms)
        if end_ms is not None and end_ms <= now_ms:
            raise UnknownToken("This refresh token has expired.", soft_logout=True)
        (device_id,) = transaction.row("SELECT device_id FROM devices WHERE device_nid = ?", (old.device_nid,)) or (
            None,
        )
        if device_id is None:
            raise UnknownToken("The session of this refresh token was logged out.", soft_logout=False)
        if old.next_nid is not None:
            self._tokens.drop_pair(transaction, old.next_nid)
        self._tokens.drop_predecessors(transaction, old.refresh_nid)
        nid = advance(transaction, "accounts", 2) - 1
        self._tokens.point_to_next(transaction, old.refresh_nid, nid + 1)
        self._tell(transaction, old.user_nid)
        return self._issue_pair(
            transaction, nid, old.user_nid, old.device_nid, device_id, now_ms, old.session_expires_ms
        )

    def _issue_pair(
        self,
        transaction: Transaction,
        nid: int,
        user_nid: UserNid,
        device_nid: DeviceNid,
        device_id: DeviceId,
        now_ms: int,
        session_expires_ms: int | None,
    ) -> Session:
        token = new_token(REFRESH_PREFIX)
        expires_ms = _after(now_ms, self._auth.refresh_token_lifetime)
        refresh = RefreshToken(nid + 1, user_nid, device_nid, expires_ms, session_expires_ms, None)
        self._tokens.add_refresh(transaction, refresh, token_hash(token))
        access_expires_ms = _earliest(session_expires_ms, now_ms + self._auth.refreshable_access_token_lifetime)
        session = self._issue(
            transaction, nid, user_nid, device_nid, device_id, now_ms, access_expires_ms, refresh.refresh_nid
        )
        return Session(device_id, session.access_token, token, session.expires_in_ms)

    def _issue(
        self,
        transaction: Transaction,
        nid: int,
        user_nid: UserNid,
        device_nid: DeviceNid,
        device_id: DeviceId,
        now_ms: int,
        expires_ms: int | None,
        refresh_nid: int | None = None,
    ) -> Session:
        token = new_token(ACCESS_PREFIX)
        self._tokens.add(transaction, nid, token_hash(token), user_nid, device_nid, now_ms, expires_ms, refresh_nid)
        return Session(device_id, token, None, None if expires_ms is None else expires_ms - now_ms)

    def _tell(self, transaction: Transaction, user_nid: UserNid) -> None:
        transaction.log(Kind.USER_STATUS, user_nid, user_nid, replaces=True)


def _after(now_ms: int, lifetime_ms: int | None) -> int | None:
    return None if lifetime_ms is None else now_ms + lifetime_ms


def _earliest(*times_ms: int | None) -> int | None:
    known = [time_ms for time_ms in times_ms if time_ms is not None]
    return min(known) if known else None
