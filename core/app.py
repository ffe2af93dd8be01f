"""The composition root: every service is built here, once, in the order in which each needs the ones before.

`build(config)` is all that core.wsgi and the tests call. The parts are in core.wiring, one chapter each; nothing
outside this file and that package sees more than the services it was handed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.api import health, landing, metrics
from core.api.client import versions, well_known
from core.config import Config
from core.federation.remote_profiles import FederatedProfiles
from core.ids import ServerName
from core.storage.consumers import Consumer
from core.web.edge import Edge
from core.web.factory import create_app
from core.web.settings import ListenerSettings, WebSettings
from core.wiring.account_management import build_account_management
from core.wiring.accounts import build_accounts
from core.wiring.addresses import build_addresses
from core.wiring.auto_accept import auto_accept
from core.wiring.auto_join import auto_join
from core.wiring.control import build_control
from core.wiring.directory import build_directory
from core.wiring.encryption import build_encryption, device_departures
from core.wiring.features import supported_features
from core.wiring.federated_rooms import build_federated_rooms
from core.wiring.federation import build_federation_ground, build_outbound, federation_ground_blueprints
from core.wiring.ground import build_ground
from core.wiring.housekeeping import build_housekeeping
from core.wiring.media import build_media
from core.wiring.notices import build_notices
from core.wiring.outbound_senders import build_inboxes, build_senders
from core.wiring.plugin_http import PluginHttp
from core.wiring.plugin_users import PluginAddresses
from core.wiring.plugins import Doors, build_plugins
from core.wiring.push import build_push, build_push_rules, pusher_departures
from core.wiring.receipts import build_receipts
from core.wiring.relations import build_relations
from core.wiring.remote_devices import build_remote_devices
from core.wiring.rooms import build_rooms, departures
from core.wiring.sliding import build_sliding
from core.wiring.sync import build_sync

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from core.web.request_metrics import RequestMetrics


class App:
    """One worker's server, built; `start` it, serve `wsgi`, then `stop_waiting` and `close`."""

    def __init__(self, config: Config) -> None:
        self.ground = build_ground(config)
        self.outbound = build_outbound(config.federation)
        self.federation = build_federation_ground(self.ground, self.outbound)
        self.push_rules = build_push_rules(self.ground)
        self.addresses = build_addresses(self.ground, self.outbound.web)
        going = [device_departures(self.ground).leave, pusher_departures(self.ground)]
        profiles = FederatedProfiles(self.federation.servers)
        self.accounts = build_accounts(self.ground, self.push_rules, self.addresses, going, profiles)
        self.management = build_account_management(self.ground, self.accounts, self.addresses)
        self.inboxes = build_inboxes(self.ground)
        remote_devices = build_remote_devices(self.ground, self.federation)
        self.encryption = build_encryption(self.ground, self.accounts, remote_devices.keys, self.inboxes)
        self.rooms = build_rooms(self.ground, self.accounts, self.addresses.identity)
        self.notices = build_notices(self.ground, self.accounts, self.addresses, self.rooms)
        self.directory = build_directory(self.ground, self.accounts, self.rooms, self.federation)
        self.relations = build_relations(self.ground, self.accounts, self.rooms, self.push_rules)
        self.push = build_push(
            self.ground, self.accounts, self.addresses, self.rooms, self.push_rules, PluginHttp(self.outbound.web)
        )
        self.sync = build_sync(
            self.ground, self.accounts, self.rooms, self.encryption, self.push_rules, self.push.counter
        )
        self.relations.snapshots.ephemeral = self.sync.snapshots
        self.sliding = build_sliding(
            self.ground, self.accounts, self.rooms, self.encryption, self.push_rules, self.push.counter, self.sync
        )
        self.senders = build_senders(self.ground, self.rooms, self.federation, self.encryption.queries, self.inboxes)
        self.receipts = build_receipts(self.ground, self.accounts, self.rooms, self.sync, self.senders)
        self.federated_rooms = build_federated_rooms(
            self.ground, self.accounts, self.encryption, self.rooms, self.receipts, self.federation, remote_devices
        )
        self.housekeeping = build_housekeeping(
            self.ground, self.accounts, self.addresses, self.encryption, self.rooms, self.notices
        )
        self.control = build_control(
            self.ground, self.accounts, self.addresses, self.management, self.federated_rooms.doctor.commands()
        )
        self.media = build_media(self.ground, self.accounts, self.rooms, self.federation)
        self.wsgi = self._wsgi(config)
        consumers: list[Consumer] = [
            self.rooms.profile_updates,
            self.rooms.guest_departures,
            departures(self.accounts, self.rooms),
            remote_devices.departures,
            self.notices.consent,
            *self.relations.consumers,
            *auto_accept(self.ground, self.accounts, self.rooms),
            *auto_join(self.ground, self.accounts, self.rooms),
            self.media.references,
        ]
        self._consumers = [self.ground.storage.runner(consumer) for consumer in consumers]
        if config.server.enable_metrics and self.ground.registry is not None:
            self._show_figures(self.ground.registry)

    def _show_figures(self, registry: CollectorRegistry) -> None:
        """Have the metrics page show what the parts count."""
        from core.wiring.figures import ConsumerCollector, OutboundCollector, ServerCollector, WriterCollector

        storage = self.ground.storage
        registry.register(WriterCollector(storage.writer))
        registry.register(ConsumerCollector(storage.tail, [*self._consumers, *self.plugins.consumers]))
        registry.register(OutboundCollector(self.outbound.door))
        if self.ground.config.server.metrics_flags.get("known_servers") is True:
            registry.register(ServerCollector(self.rooms.graph.servers))

    def _wsgi(self, config: Config) -> Edge:
        """The endpoints of all parts and plugins, behind the web plumbing."""
        blueprints = [
            health.blueprint(),
            *([] if self.ground.registry is None else [metrics.blueprint(self.ground.registry)]),
            landing.blueprint(self.ground.server_name, config.server.web_client_location),
            versions.blueprint(supported_features()),
            well_known.blueprint(_well_known(config)),
            *self.accounts.blueprints,
            *self.management.blueprints,
            *self.encryption.blueprints,
            *self.rooms.blueprints,
            *self.notices.blueprints,
            *self.directory.blueprints,
            *self.relations.blueprints,
            *self.sync.blueprints,
            *self.sliding.blueprints,
            *self.receipts.blueprints,
            *federation_ground_blueprints(self.federation, self.accounts, self.rooms, config.federation),
            *self.federated_rooms.blueprints,
            *self.push.blueprints,
            *self.media.blueprints,
        ]
        mailer = self.addresses.mailer
        doors = Doors(
            self.senders,
            PluginHttp(self.outbound.web),
            mailer.send if mailer.can_send else None,
            PluginAddresses(self.addresses.threepids),
            self.media.facade,
        )
        self.plugins = build_plugins(self.ground, self.accounts, self.rooms, self.sync, blueprints, doors)
        everything = [*blueprints, *self.plugins.blueprints]
        return create_app(everything, _web_settings(config), self._request_metrics(config))

    def _request_metrics(self, config: Config) -> RequestMetrics | None:
        if self.ground.registry is None or not config.server.enable_metrics:
            return None
        from core.web.request_metrics import RequestMetrics

        return RequestMetrics(self.ground.registry)

    def start(self) -> None:
        """Begin the background work; from here on requests may be served."""
        self.accounts.last_seen.start()
        self.sync.notifier.start()
        self.receipts.typing.start()
        self.push.start()
        self.rooms.graph.write.discard_entrances()
        self.federated_rooms.start()
        self.senders.start()
        self.rooms.delayed.start()
        self.media.start()
        self.directory.runner.start()
        for runner in self._consumers:
            runner.start()
        self.plugins.start()
        self.housekeeping.start()
        self.control.start()

    def stop_waiting(self) -> None:
        """End long-polls with an ordinary empty answer."""
        self.sync.notifier.stop_waiting()
        self.relations.stream.stop_waiting()

    def close(self) -> None:
        """Finish what was begun and let go of the database."""
        self.control.stop()
        self.housekeeping.stop()
        self.plugins.stop()
        self.rooms.delayed.stop()
        for runner in self._consumers:
            runner.stop()
        self.senders.stop()
        self.federated_rooms.stop()
        self.media.stop()
        self.directory.runner.stop()
        self.push.stop()
        self.receipts.typing.stop()
        self.sync.notifier.stop()
        self.accounts.last_seen.stop()
        self.addresses.mailer.stop()
        self.federation.close()
        self.ground.storage.close()

    def banner_facts(self) -> list[tuple[str, str]]:
        """What the start-up banner says that only the built server knows."""
        names = [plugin.name for plugin in self.ground.plugins.summaries()]
        return [("plugins", ", ".join(names) or "none")]


def build(config: Config) -> App:
    """The server that `config` describes. Raises ConfigError, PluginError, SchemaError, DatabaseInUse, OSError."""
    return App(config)


def _web_settings(config: Config) -> WebSettings:
    listeners = tuple(
        ListenerSettings(
            tuple(listener.binds()),
            frozenset(listener.resources),
            listener.x_forwarded,
            listener.request_id_header,
        )
        for listener in config.listeners.listeners
    )
    return WebSettings(listeners, access_log="json" if config.logging.access_log else "off")


def _identity_server(config: Config) -> dict[str, Any]:
    """What clients are told of an identity server, where one is configured."""
    url = config.registration.default_identity_server
    return {} if url is None else {"m.identity_server": {"base_url": url}}


def _rtc_foci(config: Config) -> dict[str, Any]:
    """The transports of group calls, for clients that look for them where they were before they had an endpoint."""
    transports = config.voip.matrix_rtc_transports
    return {"org.matrix.msc4143.rtc_foci": [dict(one) for one in transports]} if transports else {}


def _well_known(config: Config) -> well_known.WellKnown:
    server = config.server
    support = {"contacts": list(server.support_contacts), "support_page": server.support_page}
    return well_known.WellKnown(
        server_name=ServerName(config.server_name),
        public_baseurl=server.public_baseurl or "",
        extra_client_content={
            **_identity_server(config),
            **_rtc_foci(config),
            **server.extra_well_known_client_content,
        },
        serves_server_document=server.serve_server_wellknown,
        support={key: value for key, value in support.items() if value},
    )
