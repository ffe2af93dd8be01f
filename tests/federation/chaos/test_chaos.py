"""Partitions, kills and wrong clocks: within a minute of healing all servers know the same and agree on the state."""

from __future__ import annotations

import pytest

from tests.federation.chaos.cluster import Member, SynapseMember
from tests.federation.chaos.network import Network
from tests.federation.chaos.scenario import agreed_after, start_run
from tests.servers.synapse import VARIABLE, synapse_python

SERVERS = 3
MOST_SERVERS = 5


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, certificate):
    """A network, and a function that starts servers in it."""
    network, members = Network(), []

    def servers(count):
        while len(members) < count:
            members.append(Member(tmp_path_factory.mktemp("chaos"), certificate, network))
            members[-1].start()
        return members[:count]

    yield network, servers
    for member in members:
        member.stop()
    network.stop()


def run_once(cluster, seed, count, actions=25, troubles=6):
    """One run."""
    network, servers = cluster
    run = start_run(seed, network, servers(count))
    run.chaos(actions, troubles)
    return agreed_after(run)


@pytest.fixture(scope="module")
def synapse(cluster, tmp_path_factory, certificate):
    """A Synapse in the same network."""
    if synapse_python() is None:
        pytest.skip(f"{VARIABLE} names no environment with Synapse")
    member = SynapseMember(tmp_path_factory.mktemp("synapse"), certificate, cluster[0])
    member.start()
    yield member
    member.stop()


def test_servers_agree_after_chaos(cluster):
    run_once(cluster, seed=1, count=SERVERS)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(200))
def test_servers_agree_after_much_chaos(cluster, seed):
    run_once(cluster, seed, SERVERS + seed % (MOST_SERVERS - SERVERS + 1))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_servers_and_a_synapse_agree_after_chaos(cluster, synapse, seed):
    network, servers = cluster
    run = start_run(seed, network, [*servers(2), synapse])
    run.chaos(actions=15, troubles=5)
    agreed_after(run)
