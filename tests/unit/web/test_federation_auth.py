"""The X-Matrix header: one reading, or none."""

from __future__ import annotations

import contextlib

import pytest
from flask import Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import create_environ

from core.errors import Unauthorized
from core.ids import ServerName
from core.web.federation_auth import RequestSignature, authenticate_server, parse_x_matrix

PLAIN = 'X-Matrix origin="a.org",destination="b.org:8448",key="ed25519:k1",sig="ab+/CD"'
CLAIM = RequestSignature(ServerName("a.org"), ServerName("b.org:8448"), "ed25519:k1", "ab+/CD")


@pytest.mark.parametrize(
    "header",
    [
        PLAIN,
        'x-matrix   ORIGIN=a.org,Destination="b.org:8448",key="ed25519:k1",SIG="ab+/CD"',
        'X-Matrix origin="a.org" ,\t destination="b.org:8448", key="ed25519:k1" , sig="ab+/CD"',
        'X-Matrix sig="ab+/CD",key=ed25519:k1,destination=b.org:8448,origin=a.org',
        r'X-Matrix origin="a\.org",destination="b.org:8448",key="ed25519:k1",sig="a\b+/CD"',
        'X-Matrix origin="a.org",future="x, origin=\\"z\\"",destination="b.org:8448",key="ed25519:k1",sig="ab+/CD"',
        'X-Matrix origin="a.org",destination="b.org:8448",key="ed25519:k1",signature="ab+/CD"',
        'X-Matrix origin = "a.org",destination="b.org:8448",,key="ed25519:k1",sig="ab+/CD",',
    ],
)
def test_all_spellings_of_a_header_read_the_same(header: str) -> None:
    assert parse_x_matrix(header) == CLAIM


def test_an_old_server_leaves_the_destination_out() -> None:
    assert parse_x_matrix('X-Matrix origin=a.org,key="ed25519:k1",sig="s"').destination is None


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        (None, "no Authorization"),
        ("", "no Authorization"),
        ("Bearer abc", "X-Matrix"),
        ("X-Matrix", "'sig'"),
        ('X-Matrix origin="a.org",key="ed25519:k1"', "'sig'"),
        ('X-Matrix key="ed25519:k1",sig="s"', "'origin'"),
        ('X-Matrix origin="a.org",sig="s"', "'key'"),
        ('X-Matrix origin="a.org",key="k1",sig="s"', "'key'"),
        ('X-Matrix origin="a org",key="ed25519:k1",sig="s"', "'origin'"),
        ('X-Matrix origin="",key="ed25519:k1",sig="s"', "'origin'"),
        ('X-Matrix origin="a.org",destination="",key="ed25519:k1",sig="s"', "'destination'"),
        ('X-Matrix origin="a.org",origin="z.org",key="ed25519:k1",sig="s"', "twice"),
        ('X-Matrix origin="a.org",ORIGIN="z.org",key="ed25519:k1",sig="s"', "twice"),
        ('X-Matrix origin="a.org" key="ed25519:k1",sig="s"', "malformed"),
        ('X-Matrix origin="a.org,key="ed25519:k1",sig="s"', "malformed"),
        ('X-Matrix origin="a.org",key="ed25519:k1",sig="s', "malformed"),
        ('X-Matrix origin="a.org",key="ed25519:k1",sig="s"x', "malformed"),
        ("X-Matrix origin=a.org,key=ed25519:k1,sig=a/b", "malformed"),
        ("X-Matrix origin=é.org,key=ed25519:k1,sig=s", "malformed"),
        ('X-Matrix origin="a.org",key="ed25519:k1",sig="' + "s" * 5000 + '"', "longer"),
    ],
)
def test_anything_else_is_refused_saying_why(header: str | None, complaint: str) -> None:
    with pytest.raises(Unauthorized, match=complaint):
        parse_x_matrix(header)


@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_no_header_raises_anything_but_the_refusal(text: str) -> None:
    with contextlib.suppress(Unauthorized):
        parse_x_matrix(f"X-Matrix {text}")


@given(st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=60))
def test_a_quoted_value_is_read_back_as_it_was_escaped(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_x_matrix(f'X-Matrix origin=a.org,key="ed25519:k1",sig="{escaped}"').signature == text


class Trusting:
    def verify_request(self, signed) -> ServerName:
        self.signed = signed
        return signed.claim.origin


def signed_request(destination: str) -> Request:
    header = f'X-Matrix origin="a.org",destination="{destination}",key="ed25519:k1",sig="s"'
    environ = create_environ("/", method="PUT", headers={"Authorization": header})
    environ["RAW_URI"] = "/_matrix/federation/v1/send/1%2F2?a=%20b"
    return Request(environ)


def test_the_signature_covers_the_target_as_it_was_sent() -> None:
    check = Trusting()
    assert authenticate_server(signed_request("b.org"), check, ServerName("b.org"), {"pdus": []}) == "a.org"
    assert check.signed.target == "/_matrix/federation/v1/send/1%2F2?a=%20b"
    assert (check.signed.method, check.signed.content) == ("PUT", {"pdus": []})


def test_a_request_to_another_server_is_refused() -> None:
    with pytest.raises(Unauthorized, match=r"b\.org"):
        authenticate_server(signed_request("b.org"), Trusting(), ServerName("c.org"))
