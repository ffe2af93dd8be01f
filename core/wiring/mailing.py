"""Mails about missed messages, where `email.enable_notifs` is on and mail can be sent."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint

from core.accounts.threepids import Threepids
from core.api.client import unsubscribe
from core.ids import Requester
from core.push.ledger import Ledger
from core.push.mailing.content import MailContent
from core.push.mailing.missed import MissedReader
from core.push.mailing.sender import MailSender
from core.push.mailing.subjects import Subjects
from core.push.mailing.unsubscribing import Unsubscribing
from core.storage.mail_pauses import MailPauseStore
from core.storage.pushers import PusherStore
from core.wiring.accounts import AccountsPart
from core.wiring.addresses import AddressesPart
from core.wiring.ground import Ground
from core.wiring.rooms import RoomsPart


@dataclass(frozen=True, slots=True)
class MailingPart:
    """What sends the mails, whom it may mail, and the page that ends them."""

    sender: MailSender
    blueprint: Blueprint
    threepids: Threepids

    def may_mail(self, requester: Requester, address: str) -> bool:
        """Whether an address is the requester's."""
        return self.threepids.owner_of("email", address) == requester.user_id


def build_mailing(
    ground: Ground, accounts: AccountsPart, addresses: AddressesPart, rooms: RoomsPart, ledger: Ledger
) -> MailingPart | None:
    """Build the part, or None where there are to be no such mails."""
    config, storage, threepids = ground.config, ground.storage, addresses.threepids
    if not addresses.mails_of_missed:
        return None
    email, store = config.email, PusherStore(storage.database)
    base = config.server.public_baseurl or f"https://{ground.server_name}/"
    key = (config.auth.form_secret or "").encode()
    unsubscribing = Unsubscribing(base, key, rooms.graph, store, storage.writer)
    subjects = Subjects(email.subjects, email.app_name)
    content = MailContent(
        rooms.graph, addresses.templates, subjects, unsubscribing, email.client_base_url, email.app_name
    )
    sender = MailSender(
        store,
        MailPauseStore(storage.database),
        MissedReader(rooms.graph, ledger, storage.log),
        content,
        rooms.graph,
        storage.writer,
        addresses.mailer.send,
        lambda address: threepids.owner_of("email", address),
        email.notif_delay_before_mail,
    )
    return MailingPart(sender, unsubscribe.blueprint(unsubscribing, addresses.templates, accounts.gate), threepids)
