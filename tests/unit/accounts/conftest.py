"""The accounts part, served in this process."""

import pytest

from tests.servers.accounts import Accounts


@pytest.fixture
def make_accounts(tmp_path):
    made = []

    def make(**options):
        made.append(Accounts(tmp_path, **options))
        return made[-1]

    yield make
    for accounts in made:
        accounts.close()


@pytest.fixture
def accounts(make_accounts):
    return make_accounts()
