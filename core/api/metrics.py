"""Prometheus metrics, on the listeners that offer the resource `metrics`."""

from __future__ import annotations

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)


def metrics_registry() -> CollectorRegistry:
    """A registry that already reports the process: memory, CPU, open files, garbage collection, Python version."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def blueprint(registry: CollectorRegistry) -> Blueprint:
    """The metrics in `registry`, in Prometheus' text form."""
    bp = Blueprint("metrics", __name__)

    @bp.get("/_synapse/metrics")
    @bp.get("/metrics")
    def get_metrics() -> ResponseReturnValue:
        """All metrics of this process."""
        return Response(generate_latest(registry), 200, [("Content-Type", CONTENT_TYPE_LATEST)])

    return bp
