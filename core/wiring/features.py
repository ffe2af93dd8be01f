"""What this release says it can do: `/versions` lists only what is true."""

from __future__ import annotations

from core.api.client.versions import SupportedFeatures

VERSIONS = ("r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11")


def supported_features() -> SupportedFeatures:
    """The releases of the specification and the unstable features that are served."""
    return SupportedFeatures(VERSIONS, {"org.matrix.e2e_cross_signing": True})
