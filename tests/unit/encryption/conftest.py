import pytest

from tests.servers.encryption import Encryption


@pytest.fixture
def server(tmp_path):
    server = Encryption(tmp_path, limits={})
    yield server
    server.close()


@pytest.fixture
def alice(server):
    return server.signed_in("alice")


@pytest.fixture
def bob(server):
    return server.signed_in("bob")
