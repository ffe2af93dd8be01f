"""The SMTP transport against a real mail server, in every TLS mode."""

from __future__ import annotations

import pytest

from core.hooks import Mail, PluginError
from core.hooks.api import ServerFacts
from core.hooks.facade import LateApi
from plugins.smtp_mail import SmtpMail
from tests.servers.remote import make_certificate
from tests.servers.smtp_sink import SmtpSink

MAIL = Mail("bob@example.net", "Grüße", "Hällo\n.\nend\n", "<p>Hällo</p>", {"X-Kind": "test"})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("smtp"), "DNS:mail.example.org,DNS:localhost")


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))


def transport(sink, **settings):
    given = {"smtp_host": "127.0.0.1", "smtp_port": sink.port, "notif_from": "%(app)s <no@example.org>", **settings}
    return SmtpMail(SmtpMail.parse_config(given), LateApi("smtp_mail", ServerFacts("example.org:8448", None)))


def test_a_mail_arrives_with_both_forms_and_its_headers():
    with SmtpSink().running() as sink:
        transport(sink, app_name="Ours").send(MAIL)
    (mail,) = sink.mails
    assert (mail.sender, mail.recipients, mail.is_encrypted) == ("no@example.org", ["bob@example.net"], False)
    assert (str(mail.message["From"]), str(mail.message["Subject"])) == ("Ours <no@example.org>", "Grüße")
    assert mail.message["X-Kind"] == "test"
    assert mail.text.replace("\r\n", "\n") == MAIL.text
    assert "<p>Hällo</p>" in mail.message.get_body(("html",)).get_content()


def test_tls_is_used_where_it_is_offered_and_credentials_go_through_it(certificate, trusted):
    with SmtpSink(certificate.certificate, certificate.key).running() as sink:
        transport(sink, tlsname="mail.example.org", smtp_user="us", smtp_pass="ours").send(MAIL)
    assert (sink.mails[0].is_encrypted, sink.mails[0].login) == (True, ("us", "ours"))


def test_tls_from_the_first_byte(certificate, trusted):
    with SmtpSink(certificate.certificate, certificate.key, is_implicit=True).running() as sink:
        transport(sink, force_tls=True, tlsname="mail.example.org").send(MAIL)
    assert sink.mails[0].is_encrypted


def test_a_certificate_of_another_name_is_refused(certificate, trusted):
    with (
        SmtpSink(certificate.certificate, certificate.key).running() as sink,
        pytest.raises(OSError, match="certificate"),
    ):
        transport(sink, tlsname="other.example.org").send(MAIL)
    assert sink.mails == []


def test_a_certificate_nobody_vouches_for_is_refused(certificate):
    with (
        SmtpSink(certificate.certificate, certificate.key).running() as sink,
        pytest.raises(OSError, match="certificate"),
    ):
        transport(sink, tlsname="mail.example.org").send(MAIL)


def test_required_tls_that_is_not_offered_sends_nothing():
    with SmtpSink().running() as sink, pytest.raises(Exception, match="does not offer TLS"):
        transport(sink, require_transport_security=True).send(MAIL)
    assert sink.mails == []


def test_tls_that_is_off_is_not_used(certificate):
    with SmtpSink(certificate.certificate, certificate.key).running() as sink:
        transport(sink, enable_tls=False).send(MAIL)
    assert not sink.mails[0].is_encrypted


@pytest.mark.parametrize("field", ["to", "subject"])
def test_a_line_break_never_gets_into_a_header(field):
    fields = {"to": "a@b.c", "subject": "s", field: "x@y.z\r\nBcc: victim@example.org"}
    with SmtpSink().running() as sink, pytest.raises(ValueError, match="linefeed"):
        transport(sink).send(Mail(text="t", **fields))
    assert sink.mails == []


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"smtp": 1}, "smtp is no setting"),
        ({"notif_from": "nobody"}, "notif_from"),
        ({"force_tls": True, "enable_tls": False}, "contradict"),
    ],
)
def test_a_wrong_setting_is_named(config, sentence):
    with pytest.raises(PluginError, match=sentence):
        SmtpMail.parse_config(config)


def test_without_a_sender_there_is_no_transport():
    with SmtpSink().running() as sink:
        assert transport(sink, notif_from=None).contribute_mail_transport() is None
