"""The limit on open files is enough for everybody."""

from __future__ import annotations

import pytest

from core.config.open_files import OWN_FILES, for_clients, for_outgoing


@pytest.mark.parametrize(
    ("limit", "outgoing", "clients"), [(256, 64, 128), (1024, 256, 704), (131_072, 500, 130_508), (20, 8, 8)]
)
def test_a_limit_is_shared_out_between_clients_and_other_servers(limit, outgoing, clients):
    assert (for_outgoing(limit), for_clients(limit)) == (outgoing, clients)


@pytest.mark.parametrize("limit", range(128, 4096, 37))
def test_the_shares_never_exceed_the_limit(limit):
    assert for_outgoing(limit) + for_clients(limit) + OWN_FILES <= limit
