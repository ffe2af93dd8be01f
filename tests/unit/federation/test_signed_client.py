"""Signed requests to a real TLS server: what it sees, and what its mistakes and silences become."""

from __future__ import annotations

import pytest

from core.errors import Forbidden
from core.events import unpadded_base64
from core.events.signatures import is_signed_by
from core.federation.allowed_servers import AllowedServers
from core.federation.backoff import ServerDown
from core.federation.calls import GraphCalls, JoinCalls, ServerCalls
from core.federation.remote_errors import RemoteNonsense, RemoteRefusal
from core.federation.request_signing import covered_bytes
from core.federation.signed_client import path_of
from core.ids import EventId, RoomId, ServerName, UserId
from core.outbound.failures import CertificateRefused, NotConnected
from core.outbound.names import Service
from core.web.federation_auth import parse_x_matrix
from tests.servers.remote import Reply, running
from tests.unit.federation.conftest import OWN


def refusal(status: str, errcode: str, **fields) -> Reply:
    return Reply(status, {"errcode": errcode, "error": "No.", **fields})


def test_a_request_is_signed_over_method_target_destination_and_body(client, remote):
    remote.answer("/_matrix/federation/v1/send", {"pdus": {}})
    client.put(remote.name, path_of("/_matrix/federation/v1/send", "a/b ü"), {"b": 1, "a": [2]}, {"x": "é"})
    seen, claim = remote.requests[0], parse_x_matrix(remote.requests[0].authorization)
    assert seen.target == "/_matrix/federation/v1/send/a%2Fb%20%C3%BC?x=%C3%A9"
    assert (claim.origin, claim.destination, claim.key_id) == (OWN, remote.name, "ed25519:own")
    covered = covered_bytes("PUT", seen.target, OWN, remote.name, b'{"a":[2],"b":1}')
    assert seen.body == b'{"a":[2],"b":1}'
    assert is_signed_by(covered, claim.signature, client._signing_key.verify_key)
    assert not is_signed_by(covered + b" ", claim.signature, client._signing_key.verify_key)
    assert len(unpadded_base64.decode(claim.signature)) == 64


def test_what_is_signed_is_the_canonical_json_of_the_specification():
    found = covered_bytes("GET", '/a?"', ServerName("o.org"), ServerName("d.org"), b"{}")
    assert found == b'{"content":{},"destination":"d.org","method":"GET","origin":"o.org","uri":"/a?\\""}'


@pytest.mark.parametrize(
    ("answer", "status", "errcode"),
    [
        (refusal("403 Forbidden", "M_FORBIDDEN"), 403, "M_FORBIDDEN"),
        (refusal("404 Not Found", "M_NOT_FOUND"), 404, "M_NOT_FOUND"),
        (
            refusal("400 Bad Request", "M_INCOMPATIBLE_ROOM_VERSION", room_version="9"),
            400,
            "M_INCOMPATIBLE_ROOM_VERSION",
        ),
        (refusal("401 Unauthorized", "M_UNAUTHORIZED"), 502, "M_UNKNOWN"),
        (refusal("403 Forbidden", "M_UNKNOWN_TOKEN"), 502, "M_UNKNOWN"),
        (Reply("404 Not Found", b"<html>"), 502, "M_UNKNOWN"),
        (Reply("301 Moved", b"", [("Location", "/x")]), 502, "M_UNKNOWN"),
        (Reply("403 Forbidden", ["x"]), 502, "M_UNKNOWN"),
    ],
)
def test_a_refusal_is_passed_on_only_where_it_says_nothing_wrong_about_us(client, remote, answer, status, errcode):
    remote.answer("/x", answer)
    with pytest.raises(RemoteRefusal) as caught:
        client.get(remote.name, "/x")
    assert (caught.value.status, caught.value.errcode) == (status, errcode)
    assert remote.name in caught.value.sentence
    assert len(remote.requests) == 1


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"5", b'{"a":'])
def test_an_answer_that_is_no_json_object_is_nonsense(client, remote, body):
    remote.answer("/x", Reply("200 OK", body))
    with pytest.raises(RemoteNonsense):
        client.get(remote.name, "/x")


def test_a_server_in_trouble_is_asked_again_and_answers(client, remote, backoff):
    answers = [Reply("502 Bad Gateway", b"<html>"), refusal("429 Slow", "M_LIMIT_EXCEEDED", retry_after_ms=1), {"a": 1}]
    remote.answer("/x", lambda _seen: answers.pop(0))
    assert client.get(remote.name, "/x") == {"a": 1}
    assert backoff.pause_ms(remote.name) == 0


def test_a_server_that_does_not_help_is_left_alone_and_asked_when_it_is_urgent(client, remote, clock):
    remote.answer("/x", Reply("503 Away", b""))
    with pytest.raises(RemoteRefusal):
        client.get(remote.name, "/x")
    assert len(remote.requests) == 3
    with pytest.raises(ServerDown, match="not answered"):
        client.get(remote.name, "/x")
    assert len(remote.requests) == 3
    remote.answer("/x", {})
    assert client.get(remote.name, "/x", patience=client.patiences.once.urgent()) == {}
    assert client.get(remote.name, "/x") == {}


def test_a_limit_that_lasts_too_long_is_not_waited_for(client, remote):
    remote.answer("/x", refusal("429 Slow", "M_LIMIT_EXCEEDED", retry_after_ms=60_000))
    with pytest.raises(RemoteRefusal):
        client.get(remote.name, "/x")
    assert len(remote.requests) == 1


def test_nobody_listening_is_said_so(client, remote):
    remote.stop()
    with pytest.raises(NotConnected, match="refused"):
        client.get(remote.name, "/x")


def test_neither_ourselves_nor_servers_off_the_list_are_asked(client):
    with pytest.raises(Forbidden, match="itself"):
        client.get(OWN, "/x")
    client._allowed = AllowedServers(OWN, ["good.org"])
    with pytest.raises(Forbidden, match=r"bad\.org"):
        client.get(ServerName("bad.org"), "/x")


def test_an_answer_can_be_read_as_it_arrives(client, remote):
    remote.answer("/_matrix/federation/v2/send_join", Reply("200 OK", b"x" * 200_000))
    joins = JoinCalls(client)
    with joins.send_join(remote.name, RoomId("!r:x"), EventId("$e"), {"type": "m.room.member"}, 5_000) as answer:
        pieces = list(answer.pieces(1_000_000))
    assert len(pieces) > 1
    assert sum(map(len, pieces)) == 200_000
    assert remote.requests[0].target == "/_matrix/federation/v2/send_join/%21r%3Ax/%24e?omit_members=false"


def test_calls_are_made_with_the_specifications_names(client, remote):
    remote.answer("/_matrix/federation/v1/make_join", {"room_version": "9", "event": {"type": "m.room.member"}})
    remote.answer("/_matrix/federation/v1/backfill", {"pdus": [{"a": 1}]})
    template = JoinCalls(client).make_join(remote.name, RoomId("!r:x"), UserId("@a:own.test"), ["9", "10"])
    assert (template.room_version, template.event["type"]) == ("9", "m.room.member")
    assert remote.requests[0].target == "/_matrix/federation/v1/make_join/%21r%3Ax/%40a%3Aown.test?ver=9&ver=10"
    assert GraphCalls(client).backfill(remote.name, RoomId("!r:x"), [EventId("$e")], 5) == [{"a": 1}]
    assert remote.requests[1].target == "/_matrix/federation/v1/backfill/%21r%3Ax?v=%24e&limit=5"
    assert ServerCalls(client).version(remote.name)["name"] == "Fake"


def test_an_answer_of_another_shape_is_nonsense(client, remote):
    remote.answer("/", {"pdus": "none", "event": [], "chunk": [1]})
    with pytest.raises(RemoteNonsense, match="`pdus`"):
        GraphCalls(client).event(remote.name, EventId("$e"))
    with pytest.raises(RemoteNonsense, match="`event`"):
        JoinCalls(client).make_leave(remote.name, RoomId("!r:x"), UserId("@a:own.test"))
    with pytest.raises(RemoteNonsense, match="`chunk`"):
        ServerCalls(client).public_rooms(remote.name, {})


def test_an_invite_falls_back_to_version_1_only_for_rooms_that_old(client, remote):
    remote.answer("/_matrix/federation/v1/invite", [200, {"event": {"signed": True}}])
    joins = JoinCalls(client)
    invite = (remote.name, RoomId("!r:x"), EventId("$e"), {"type": "m.room.member"})
    assert joins.invite(*invite, "1", [{"type": "m.room.create"}]) == {"signed": True}
    assert remote.requests[-1].json["unsigned"]["invite_room_state"] == [{"type": "m.room.create"}]
    with pytest.raises(RemoteRefusal):
        joins.invite(*invite, "10", [])


def test_a_server_is_reached_by_its_service_under_its_own_name(client, remote, world):
    world.names.hosts = {host: ["127.0.0.1"] for host in ("a.hs.test", "dead.hs.test", "t.hs.test")}
    world.names.records["_matrix-fed._tcp.a.hs.test"] = [
        Service("dead.hs.test", 1, 1, 1),
        Service("t.hs.test", remote.port, 2, 1),
    ]
    assert client.get(ServerName("a.hs.test"), "/_matrix/federation/v1/version")["server"]["name"] == "Fake"
    assert (remote.requests[0].host, remote.sni) == ("a.hs.test", ["a.hs.test"])
    assert parse_x_matrix(remote.requests[0].authorization).destination == "a.hs.test"


def test_a_server_named_by_an_address_needs_a_certificate_for_it_and_gets_no_sni(client, certificate):
    with running(certificate, "127.0.0.1") as numbered:
        assert client.get(numbered.name, "/_matrix/federation/v1/version")
        assert (numbered.requests[0].host, numbered.sni) == (numbered.name, [None])
    with running(certificate, "127.0.0.2", "0.0.0.0") as other, pytest.raises(CertificateRefused, match="IP address"):
        client.get(other.name, "/_matrix/federation/v1/version")
