"""Plugins and the built server: what they may reach, and what they add."""

from __future__ import annotations

from flask import Blueprint

from core.hooks.facade import Services
from core.hooks.specs import contributions
from core.wiring.accounts import AccountsPart
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart


def wire_plugins(ground: Ground, accounts: AccountsPart, rooms: RoomsPart) -> None:
    """Open each plugin's facades."""
    for api in ground.apis.values():
        api.wire(Services(gate=accounts.gate))


def contributed_blueprints(ground: Ground) -> list[Blueprint]:
    """The endpoints that plugins add."""
    return [one.item for one in ground.plugins.contributions(contributions.contribute_blueprints)]
