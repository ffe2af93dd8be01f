"""Chores."""

import pytest

from core.storage.leases import Leases
from core.wiring.housekeeping import Housekeeping
from tests.servers.accounts import Accounts


@pytest.fixture
def accounts(tmp_path):
    accounts = Accounts(tmp_path)
    yield accounts
    accounts.close()


def test_a_chore_that_fails_keeps_no_other_from_being_done(accounts, caplog):
    done = []

    def fail():
        raise ValueError("dust")

    Housekeeping({"sweeping": fail, "mopping": lambda: done.append(1) or 0}, Leases(accounts.writer, "a")).turn()
    assert done == [1]
    assert "sweeping" in caplog.text


def test_one_process_does_them_in_an_hour(accounts):
    done = []
    chores = {"sweeping": lambda: done.append(1) or 0}
    for owner in ("a", "b"):
        Housekeeping(chores, Leases(accounts.writer, owner)).turn()
    assert done == [1]
