"""Control: the commands that `hsctl` may give a running server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.accounts.user_commands import UserCommands
from core.control.commands import Command
from core.control.server import ControlServer
from core.control.sockets import NAME
from core.storage.migrations.migrating import core_migrations, schema_report
from core.storage.profiles import ProfileStore
from core.wiring.account_management import AccountManagementPart
from core.wiring.accounts import AccountsPart
from core.wiring.addresses import AddressesPart
from core.wiring.ground import Ground


def build_control(
    ground: Ground,
    accounts: AccountsPart,
    addresses: AddressesPart,
    management: AccountManagementPart,
    further: Mapping[str, Command],
) -> ControlServer:
    """The server's end of the private socket, to be started and stopped; `further` are other parts' commands."""
    users = UserCommands(
        ground.server_name,
        accounts.users,
        ProfileStore(ground.storage.database),
        accounts.devices,
        addresses.store,
        management.administration,
    )
    commands = {
        "ping": lambda: "pong",
        "db status": lambda: schema_report(ground.storage.database, core_migrations()),
        **users.commands(),
        **further,
    }
    return ControlServer(Path(ground.config.server.data_dir) / NAME, commands)
