"""The order in which the targets of a service are tried. Spec: RFC 2782."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from random import Random

from core.outbound.names import Service


def in_order(services: Iterable[Service], random: Random) -> list[Service]:
    """By priority, lowest first; within one priority drawn by weight, so that a heavier target comes first oftener."""
    ordered: list[Service] = []
    for _, same in groupby(sorted(services, key=lambda service: service.priority), key=lambda s: s.priority):
        left = sorted(same, key=lambda service: service.weight)  # those without weight first, as the RFC wants
        while left:
            draw = random.randint(0, sum(service.weight for service in left))
            for service in left:
                draw -= service.weight
                if draw <= 0:
                    break
            left.remove(service)
            ordered.append(service)
    return ordered
