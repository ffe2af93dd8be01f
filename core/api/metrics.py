"""Prometheus metrics, on the listeners that offer the resource `metrics`.

Its library comes with an HTTP client and two HTTP servers, 1 MB in all: it is loaded where there are metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def metrics_registry() -> CollectorRegistry:
    """A registry that already reports the process: memory, CPU, open files, garbage collection, Python version."""
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def blueprint(registry: CollectorRegistry) -> Blueprint:
    """The metrics in `registry`, in Prometheus' text form."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    bp = Blueprint("metrics", __name__)

    @bp.get("/_synapse/metrics")
    @bp.get("/metrics")
    def get_metrics() -> ResponseReturnValue:
        """All metrics of this process."""
        return Response(generate_latest(registry), 200, [("Content-Type", CONTENT_TYPE_LATEST)])

    return bp
