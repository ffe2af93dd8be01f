"""When jobs of plugins run, and who runs them."""

import pytest

from core.hooks import Job, hookimpl
from core.hooks.manager import Contribution, PluginManager
from core.storage.leases import Leases
from core.wiring.plugin_jobs import LOOK_SECONDS, JobRunner
from tests.services.engines import database, migrated_file, tail, writer

__all__ = ["database", "migrated_file", "tail", "writer"]


class Empty:
    @hookimpl
    def server_started(self):
        """Nothing."""


@pytest.fixture
def plugins():
    manager = PluginManager()
    manager.register("clock", Empty())
    return manager


@pytest.fixture
def runner(plugins, writer):
    """Makes the runner of a job in a process of that name."""

    def make(process, run, every_seconds=1000):
        job = Contribution("clock", Job("tick", every_seconds, run))
        return JobRunner(plugins, job, Leases(writer, process), chance=lambda: 0.5)

    return make


def test_one_process_runs_a_job_and_the_others_look_again_later(runner):
    ran = []
    first, second = (runner(name, lambda name=name: ran.append(name)) for name in ("first", "second"))
    assert 990 < first.turn() <= 1000
    assert second.turn() == LOOK_SECONDS
    assert ran == ["first"]


def test_a_server_that_has_restarted_does_not_run_a_job_before_its_time(runner, writer):
    ran = []
    runner("before", lambda: ran.append(1)).turn()
    runner("after", lambda: ran.append(2)).turn()
    writer.submit(lambda transaction: transaction.run("UPDATE leases SET expires_ms = expires_ms - 900000"))
    runner("after", lambda: ran.append(3)).turn()
    assert ran == [1, 3]


def test_a_job_that_fails_has_its_next_turn_at_its_time(runner, plugins):
    def fail():
        raise ValueError("no")

    assert 990 < runner("only", fail).turn() <= 1000
    assert [meter.failures for meter in plugins.meters() if meter.hook == "job:tick"] == [{"error": 1}]


def test_a_job_starts_soon_and_ends_with_the_server(runner):
    from gevent.event import Event

    ran = Event()
    one = runner("only", ran.set, every_seconds=1)
    one.start()
    assert ran.wait(5)
    one.stop()
