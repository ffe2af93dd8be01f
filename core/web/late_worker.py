"""The worker as gunicorn's master knows it: gevent, and all that serves requests, is loaded in the worker's process.

The master makes a worker object, forks, and from then on only watches. What it has loaded it keeps, and so does the
worker, whose copy of a page stops being shared with the first reference counted in it: 5 MB for gevent alone.
"""

from __future__ import annotations

import signal

from gunicorn.workers.base import Worker as WatchedWorker


class LateWorker(WatchedWorker):  # type: ignore[misc] # gunicorn has no types
    """Becomes core.web.worker.Worker in its own process."""

    def load(self) -> None:
        """Load the real worker and be it. To be called in the worker's process, before anything else there."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)  # nothing is open yet: it may just end, whatever the master does
        from core.web.worker import Worker

        self.worker_connections = self.cfg.worker_connections
        self.__class__ = Worker
