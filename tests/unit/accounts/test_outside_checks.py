"""What is an address, which flows a configuration makes, and what other machines are asked about either."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.accounts.identity_servers import IdentityServers
from core.accounts.phone_numbers import CALLING_CODES, msisdn_of
from core.accounts.registration_flows import registration_flows
from core.accounts.threepid_stages import RecaptchaStage
from core.config.registration import RegistrationConfig
from core.errors import BadRequest, Forbidden, InvalidParam, Unauthorized, Unavailable
from core.hooks.api import HttpAnswer
from core.mail.outgoing import is_mail_address
from core.storage.threepids import ThreepidStore

EMAIL, PHONE, DUMMY, TOKEN = "m.login.email.identity", "m.login.msisdn", "m.login.dummy", "m.login.registration_token"


@given(st.text())
def test_no_mail_address_has_what_could_end_a_header(text):
    assert not is_mail_address(f"a{text}\n@b.c")
    if is_mail_address(text):
        assert text.isprintable()
        assert not set(text) & set(' ,;:<>()[]"\\')


@pytest.mark.parametrize("address", ["a@b.c", "a.b+c@example.org", "jürgen@müller.example", "a@localhost"])
def test_usual_mail_addresses_are_accepted(address):
    assert is_mail_address(address)


@pytest.mark.parametrize(
    ("country", "number", "msisdn"),
    [
        ("GB", "07700 900001", "447700900001"),
        ("gb", "+44 (7700) 900001", "447700900001"),
        ("DE", "0049 30 1234567", "49301234567"),
        ("IT", "06 1234567", "39061234567"),
        ("US", "202-555-0100", "12025550100"),
    ],
)
def test_a_phone_number_is_kept_as_digits_behind_the_country_code(country, number, msisdn):
    assert msisdn_of(country, number) == msisdn


@pytest.mark.parametrize(("country", "number"), [("XX", "12345678"), ("GB", "1"), ("GB", "x"), ("US", "1" * 16)])
def test_what_is_no_phone_number_is_refused(country, number):
    with pytest.raises(InvalidParam):
        msisdn_of(country, number)


def test_every_country_has_a_calling_code_of_digits():
    assert len(CALLING_CODES) > 230
    assert all(len(country) == 2 and code.isdigit() for country, code in CALLING_CODES.items())


def flows(can_mail=False, can_text=False, needs_terms=False, **settings):
    config = RegistrationConfig(**settings)
    return registration_flows(config, can_mail=can_mail, can_text=can_text, needs_terms=needs_terms)


def test_nothing_asked_for_is_the_dummy_stage_and_offers_are_told_apart_by_it():
    assert flows() == [[DUMMY]]
    assert flows(can_mail=True) == [[DUMMY], [EMAIL]]
    assert flows(can_mail=True, can_text=True) == [[DUMMY], [EMAIL], [PHONE], [EMAIL, PHONE]]
    assert flows(can_text=True, disable_msisdn_registration=True) == [[DUMMY]]


def test_what_is_required_stands_in_every_flow():
    assert flows(registration_requires_token=True, needs_terms=True) == [[TOKEN, "m.login.terms"]]
    assert flows(can_mail=True, registrations_require_3pid=("email",)) == [[EMAIL]]
    assert flows(registration_requires_stages=("org.example.word",)) == [["org.example.word"]]
    assert flows(can_mail=True, enable_registration_captcha=True)[0] == ["m.login.recaptcha", DUMMY]


def test_a_required_address_that_cannot_be_verified_leaves_no_way():
    assert flows(registrations_require_3pid=("email",)) == []
    assert flows(can_mail=True, registrations_require_3pid=("email", "msisdn")) == []


class Outside:
    """The door, with answers by the end of the URL."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def request(self, method, url, *, body=None, headers=None, timeout_ms=0, max_bytes=0, is_guarded=True):
        self.asked.append((method, url, body, headers, is_guarded))
        for end, (status, answer) in self.answers.items():
            if url.endswith(end):
                return HttpAnswer(status, {}, answer if isinstance(answer, bytes) else orjson.dumps(answer))
        raise Unavailable("nobody there")


def captcha(status, answer):
    outside = Outside(verify=(status, answer))
    return RecaptchaStage(outside, "public", "private", "https://captcha.example/verify"), outside


def test_a_captcha_is_put_to_the_verifier_with_our_secret():
    stage, outside = captcha(200, {"success": True})
    assert stage.params() == {"public_key": "public"}
    assert stage.check(None, {"response": "a&b"}) == {}
    assert outside.asked[0][2] == b"secret=private&response=a%26b"


@pytest.mark.parametrize(
    ("answer", "error", "errcode"),
    [
        ((200, {"success": False}), Unauthorized, "M_CAPTCHA_INVALID"),
        ((200, {"success": "true"}), Unauthorized, "M_CAPTCHA_INVALID"),
        ((500, {}), Unavailable, "M_UNKNOWN"),
        ((200, b"<html>"), Unavailable, "M_UNKNOWN"),
    ],
)
def test_a_captcha_is_passed_only_where_the_verifier_says_so(answer, error, errcode):
    with pytest.raises(error) as caught:
        captcha(*answer)[0].check(None, {"response": "x"})
    assert caught.value.errcode == errcode


def test_a_captcha_without_response_is_asked_for():
    with pytest.raises(BadRequest) as caught:
        captcha(200, {"success": True})[0].check(None, {})
    assert caught.value.errcode == "M_CAPTCHA_NEEDED"


@pytest.fixture
def identity(accounts):
    def make(**answers):
        outside = Outside(**answers)
        store = ThreepidStore(accounts.database)

        def sign(target, destination, content):
            return [f"X-Matrix {destination}{target}", "X-Matrix as Sydent has it"]

        return IdentityServers(outside, store, accounts.writer, sign), outside, store

    return make


def test_what_was_published_through_us_is_taken_back_signed(identity):
    servers, outside, store = identity(unbind=(200, {}), bind=(200, {"medium": "email", "address": "a@b.c"}))
    servers.bind("@alice:example.org", 7, "sid", "secret", "id.example.org", "token")
    assert outside.asked[0][1] == "https://id.example.org/_matrix/identity/v2/3pid/bind"
    assert outside.asked[0][3]["Authorization"] == "Bearer token"
    assert servers.unbind_all("@alice:example.org", 7)
    assert outside.asked[1][3]["Authorization"] == "X-Matrix id.example.org/_matrix/identity/v2/3pid/unbind"
    assert store.binds_of(7) == []
    assert not servers.unbind("@alice:example.org", 7, "email", "a@b.c")


def test_an_identity_server_that_refuses_the_specified_signature_is_shown_the_one_sydent_checks(identity):
    refusal = (401, {"errcode": "M_FORBIDDEN", "error": "signature"})
    servers, outside, store = identity(unbind=refusal, bind=(200, {"medium": "email", "address": "a@b.c"}))
    servers.bind("@alice:example.org", 7, "sid", "secret", "id.example.org", "token")
    assert not servers.unbind_all("@alice:example.org", 7)
    assert outside.asked[2][3]["Authorization"] == "X-Matrix as Sydent has it"
    assert len(store.binds_of(7)) == 1


def test_an_identity_server_that_refuses_to_unbind_is_reported(identity):
    servers, _, store = identity(
        unbind=(501, {"errcode": "M_UNRECOGNIZED"}), bind=(200, {"medium": "email", "address": "a@b.c"})
    )
    servers.bind("@alice:example.org", 7, "sid", "secret", "id.example.org", "token")
    assert not servers.unbind_all("@alice:example.org", 7)
    assert len(store.binds_of(7)) == 1


@pytest.mark.parametrize("address", ["alice@example.com", "Alice@Example.COM"])
def test_a_hashed_lookup_finds_who_published_an_address(identity, address):
    pepper = {"lookup_pepper": "matrixrocks", "algorithms": ["none", "sha256"]}
    hashed = "4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc"
    servers, outside, _ = identity(hash_details=(200, pepper), lookup=(200, {"mappings": {hashed: "@a:b.c"}}))
    assert servers.lookup("id.example.org", "token", "email", address) == "@a:b.c"
    assert orjson.loads(outside.asked[1][2])["addresses"] == [hashed]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((403, {"errcode": "M_TERMS_NOT_SIGNED", "error": "read"}), Forbidden),
        ((400, {"errcode": "M_X", "error": "no"}), BadRequest),
        ((502, b"oops"), Unavailable),
        ((200, {"medium": "email"}), Unavailable),
        ((200, []), Unavailable),
    ],
)
def test_what_an_identity_server_refuses_is_passed_on(identity, answer, error):
    servers, _, _ = identity(bind=answer)
    with pytest.raises(error):
        servers.bind("@alice:example.org", 7, "sid", "secret", "id.example.org", "token")


@pytest.mark.parametrize("id_server", ["https://id.example.org", "id.example.org/path", "a@b", ""])
def test_an_identity_server_is_a_host_name(identity, id_server):
    with pytest.raises(InvalidParam):
        identity()[0].bind("@alice:example.org", 7, "sid", "secret", id_server, "token")
