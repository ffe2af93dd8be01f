"""What this release says it can do: `/versions` lists only what is true."""

from __future__ import annotations

from core.api.client.versions import SupportedFeatures

VERSIONS = ("r0.6.1", *(f"v1.{minor}" for minor in range(1, 20)))
"""Up to v1.19; docs/conformance.md says what of it is left out."""

UNSTABLE_FEATURES = {
    "org.matrix.e2e_cross_signing": True,
    "org.matrix.simplified_msc3575": True,  # sliding sync
    "org.matrix.msc2285.stable": True,  # private receipts
    "org.matrix.msc3440.stable": True,  # threads
    "org.matrix.msc3715.stable": True,  # relations in either direction
    "org.matrix.msc3856.stable": True,  # the list of threads
    "org.matrix.msc3771": True,  # receipts in threads
    "org.matrix.msc3773": True,  # what is unread, by thread
    "org.matrix.msc3874": True,  # history by kind of relation
    "org.matrix.msc3912": True,  # redactions with related events
    "org.matrix.msc3916.stable": True,  # media for those who sign in
    "org.matrix.msc3952_intentional_mentions": True,
    "org.matrix.msc3981": True,  # relations of relations
    "org.matrix.msc3030": True,  # jumping to a date, which has an unstable path of its own
    "org.matrix.msc3030.stable": True,
    "org.matrix.msc4140": True,  # delayed events
    "org.matrix.msc4143": True,  # transports of group calls
    "org.matrix.msc4155": True,  # lists of those whose invites are wanted
    "org.matrix.msc3266": True,  # room summaries
    "org.matrix.msc3827.stable": True,  # room types in the directory
    "uk.half-shot.msc2666": True,
    "uk.half-shot.msc2666.stable": True,
    "uk.half-shot.msc2666.mutual_rooms": True,
    "uk.half-shot.msc2666.mutual_rooms.stable": True,
    "uk.half-shot.msc2666.query_mutual_rooms": True,
    "uk.half-shot.msc2666.query_mutual_rooms.stable": True,
    "uk.tcpip.msc4133": True,  # profile fields of any name
    "uk.tcpip.msc4133.stable": True,
    "org.matrix.msc4380.stable": True,  # blocking all invites
}


def supported_features() -> SupportedFeatures:
    """The releases of the specification and the unstable features that are served."""
    return SupportedFeatures(VERSIONS, UNSTABLE_FEATURES)
