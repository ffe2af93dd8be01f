"""A Sydent beside two of our servers, and the mails that all of them send; skipped where no Sydent is named."""

from __future__ import annotations

import itertools
import os

import pytest

from tests.servers.federating import FederatingServer
from tests.servers.remote import make_certificate
from tests.servers.smtp_sink import SmtpSink
from tests.servers.sydent import VARIABLE, Sydent, SydentUser, sydent_python


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """One certificate for all of localhost."""
    return make_certificate(tmp_path_factory.mktemp("sydent-tls"))


@pytest.fixture(scope="session")
def mails():
    """Where all mails go."""
    with SmtpSink().running() as sink:
        yield sink


@pytest.fixture(scope="session")
def sydent(tmp_path_factory, certificate, mails):
    """The identity server."""
    if sydent_python() is None:
        reason = f"{VARIABLE} names no environment with Sydent"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with Sydent(tmp_path_factory.mktemp("sydent"), certificate, mails.port).running() as sydent:
        yield sydent


def server_of(folder, certificate, **config):
    server = FederatingServer(
        folder,
        certificate,
        federation_verify_certificates=True,
        federation_custom_ca_list=[str(certificate.certificate)],
        **config,
    )
    return server


@pytest.fixture(scope="session")
def trellis(sydent, tmp_path_factory, certificate, mails):
    """Our server, which sends mails of its own as well."""
    email = {"smtp_host": "127.0.0.1", "smtp_port": mails.port, "notif_from": "Trellis <hs@example.org>"}
    server = server_of(tmp_path_factory.mktemp("trellis"), certificate, email=email)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def neighbor(sydent, tmp_path_factory, certificate):
    """Another server of ours."""
    server = server_of(tmp_path_factory.mktemp("neighbor"), certificate)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def known(sydent):
    """Make a user of a server known to Sydent."""
    return lambda server: SydentUser(sydent, server.register()).accept_terms()


@pytest.fixture(scope="session")
def new_address():
    """Addresses nobody has used yet."""
    numbers = itertools.count(1)
    return lambda: f"person{next(numbers)}@example.org"
