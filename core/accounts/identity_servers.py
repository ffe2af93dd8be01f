"""Identity servers: where users publish their addresses, and through which text messages are sent for us.

Publishing and taking back is asked for by a user, with the access token the user has there, or signed by this server.
What was published through us is remembered, so that deactivation can take it back.
Spec: Identity Service API; Client-Server API, `POST /account/3pid/bind`, `…/unbind`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from core.accounts.outside import OutsideWeb, json_object
from core.accounts.validation import NotValidated, NoValidSession, Proof, adopted_sid
from core.errors import BadRequest, Forbidden, InvalidParam, MatrixError, Unavailable
from core.events.unpadded_base64 import encode_url_safe
from core.ids import UserId, UserNid, is_server_name
from core.mail.outgoing import canonical_mail_address
from core.storage.threepids import Bind, ThreepidStore
from core.storage.writer import Writer

V1, V2 = "/_matrix/identity/api/v1", "/_matrix/identity/v2"
TIMEOUT_MS = 15_000

Signer = Callable[[str, str, Mapping[str, Any]], list[str]]
"""(target, destination, content) -> X-Matrix Authorization headers of a POST signed by this server, to be tried in turn:
as the specification has it, and as Sydent checks it."""


@dataclass(frozen=True, slots=True)
class PhoneSession:
    """A validation that another server carries out for us."""

    sid: str
    submit_url: str


class IdentityServers:
    """The client of identity servers. `delegate` is `account_threepid_delegates.msisdn`."""

    def __init__(
        self, web: OutsideWeb, store: ThreepidStore, writer: Writer, sign: Signer, delegate: str | None = None
    ) -> None:
        self._web = web
        self._store = store
        self._writer = writer
        self._sign = sign
        self._delegate = None if delegate is None else delegate.rstrip("/")

    @property
    def can_text(self) -> bool:
        """Whether text messages can be sent."""
        return self._delegate is not None

    def request_text(
        self, client_secret: str, country: str, phone_number: str, send_attempt: int, next_link: str | None
    ) -> PhoneSession:
        """Have a token sent to a phone. Raises: `BadRequest` with what the delegate says, `Unavailable`."""
        body: dict[str, Any] = {
            "client_secret": client_secret,
            "country": country,
            "phone_number": phone_number,
            "send_attempt": send_attempt,
        }
        if next_link is not None:
            body["next_link"] = next_link
        found = self._ask_delegate("POST", "/validate/msisdn/requestToken", body)
        sid, submit_url = found.get("sid"), found.get("submit_url")
        if not isinstance(sid, str):
            raise Unavailable("The server that sends text messages for this one gave no session.")
        if not isinstance(submit_url, str):
            submit_url = f"{self._delegate}{V1}/validate/msisdn/submitToken"
        return PhoneSession(sid, submit_url)

    def validated(self, sid: str, client_secret: str) -> Proof:
        """What a session at the delegate has shown. Raises: `NoValidSession`, `NotValidated`, `Unavailable`."""
        query = urlencode({"sid": sid, "client_secret": client_secret})
        try:
            found = self._ask_delegate("GET", f"/3pid/getValidated3pid?{query}", None)
        except BadRequest as error:
            if error.errcode == "M_SESSION_NOT_VALIDATED":
                raise NotValidated("The phone number is not confirmed yet.") from error
            raise NoValidSession("There is no validation session of this id and secret.") from error
        medium, address, validated_ms = found.get("medium"), found.get("address"), found.get("validated_at")
        if medium != "msisdn" or not isinstance(address, str) or not address.isdigit() or type(validated_ms) is not int:
            raise NotValidated("The phone number is not confirmed yet.")
        return Proof(medium, address, validated_ms, None, adopted_sid(sid))

    def bind(
        self, user_id: UserId, user_nid: UserNid, sid: str, client_secret: str, id_server: str, access_token: str
    ) -> None:
        """Publish a validated address. Raises: `InvalidParam`, `Unavailable`, and what the identity server says."""
        body = {"sid": sid, "client_secret": client_secret, "mxid": user_id}
        found = self._ask(id_server, "POST", f"{V2}/3pid/bind", body, f"Bearer {access_token}")
        medium, address = found.get("medium"), found.get("address")
        if medium not in ("email", "msisdn") or not isinstance(address, str) or not 0 < len(address.encode()) <= 255:
            raise Unavailable(f"{id_server} does not say which address it has published.")
        bind = Bind(medium, address, id_server)
        self._writer.submit(lambda transaction: self._store.add_bind(transaction, user_nid, bind), user_nid)

    def unbind(
        self, user_id: UserId, user_nid: UserNid, medium: str, address: str, id_server: str | None = None
    ) -> bool:
        """Take a published address back; False where no identity server is known, or one does not support it."""
        known = self._store.binds_of(user_nid, medium, address)
        wanted = known if id_server is None else [Bind(medium, address, id_server)]
        done = [self._unbind(user_id, user_nid, bind) for bind in wanted]
        return bool(done) and all(done)

    def unbind_all(self, user_id: UserId, user_nid: UserNid, id_server: str | None = None) -> bool:
        """Take back every address published through us; True where there is none. A server that fails gives False."""
        done = [
            self._unbind(user_id, user_nid, bind if id_server is None else Bind(bind.medium, bind.address, id_server))
            for bind in self._store.binds_of(user_nid)
        ]
        return all(done)

    def lookup(self, id_server: str, access_token: str, medium: str, address: str) -> str | None:
        """Who has published an address there. Raises: `Unavailable`, and what the identity server says."""
        authorization = f"Bearer {access_token}"
        details = self._ask(id_server, "GET", f"{V2}/hash_details", None, authorization)
        pepper, algorithms = details.get("lookup_pepper"), details.get("algorithms")
        if not isinstance(pepper, str) or not isinstance(algorithms, list) or "sha256" not in algorithms:
            raise Unavailable(f"{id_server} offers no hashed lookup.")
        known_as = canonical_mail_address(address) if medium == "email" else address
        digest = hashlib.sha256(f"{known_as} {medium} {pepper}".encode()).digest()
        wanted = encode_url_safe(digest)
        body = {"addresses": [wanted], "algorithm": "sha256", "pepper": pepper}
        mappings = self._ask(id_server, "POST", f"{V2}/lookup", body, authorization).get("mappings")
        found = mappings.get(wanted) if isinstance(mappings, dict) else None
        return found if isinstance(found, str) else None

    def store_invite(self, id_server: str, access_token: str, invite: Mapping[str, Any]) -> dict[str, Any]:
        """Leave an invite for whoever publishes the address. Raises: `Unavailable`, what the identity server says."""
        return self._ask(id_server, "POST", f"{V2}/store-invite", invite, f"Bearer {access_token}")

    def _unbind(self, user_id: UserId, user_nid: UserNid, bind: Bind) -> bool:
        body = {"mxid": user_id, "threepid": {"medium": bind.medium, "address": bind.address}}
        target = f"{V2}/3pid/unbind"
        if not self._accepts_one_of(bind.id_server, target, body, self._sign(target, bind.id_server, body)):
            return False
        self._writer.submit(lambda transaction: self._store.remove_bind(transaction, user_nid, bind), user_nid)
        return True

    def _accepts_one_of(self, id_server: str, target: str, body: Mapping[str, Any], signatures: list[str]) -> bool:
        for signature in signatures:
            try:
                self._ask(id_server, "POST", target, body, signature)
            except Forbidden:
                continue
            except MatrixError:
                return False
            return True
        return False

    def _ask(
        self, id_server: str, method: str, target: str, body: Mapping[str, Any] | None, authorization: str
    ) -> dict[str, Any]:
        if not is_server_name(id_server):
            raise InvalidParam("'id_server' must be a host name, with a port where it needs one, without https://")
        if not authorization.isprintable():
            raise InvalidParam("'id_access_token' has characters that a token cannot have.")
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        content = None if body is None else orjson.dumps(body)
        url = f"https://{id_server}{target}"
        answer = self._web.request(method, url, body=content, headers=headers, timeout_ms=TIMEOUT_MS)
        if answer.status == 200:
            return json_object(answer, id_server)
        raise _refusal(answer.status, answer.body, id_server)

    def _ask_delegate(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        if self._delegate is None:
            raise BadRequest(
                "This server sends no text messages, so it cannot verify phone numbers.",
                errcode="M_THREEPID_MEDIUM_NOT_SUPPORTED",
            )
        answer = self._web.request(
            method,
            f"{self._delegate}{V1}{path}",
            body=None if body is None else orjson.dumps(body),
            headers={"Content-Type": "application/json"},
            timeout_ms=TIMEOUT_MS,
            is_guarded=False,
        )
        where = urlsplit(self._delegate).hostname or "the delegate"
        if answer.status != 200:
            raise _refusal(answer.status, answer.body, where)
        found = json_object(answer, where)
        if "errcode" in found:
            raise BadRequest(str(found.get("error"))[:500], errcode=str(found["errcode"])[:100])
        return found


def _refusal(status: int, body: bytes, where: str) -> MatrixError:
    """What another server refused with, as an error of ours."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("errcode"), str) or status >= 500:
        return Unavailable(f"The identity server {where} answers {status}.")
    kind = Forbidden if status in (401, 403) else BadRequest
    return kind(f"{where} says: {str(found.get('error', ''))[:500]}", errcode=found["errcode"][:100])
