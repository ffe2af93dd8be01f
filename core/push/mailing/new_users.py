"""Users who register with an e-mail address are mailed about what they miss, until they say otherwise."""

from __future__ import annotations

import time

import orjson

from core.ids import UserNid
from core.storage.pushers import MAIL, MAIL_APP, Pusher, PusherStore
from core.storage.transaction import Transaction


def mail_new_user(store: PusherStore, transaction: Transaction, user_nid: UserNid, address: str) -> None:
    """Give a new user a pusher that mails them, as clients would set it."""
    names = {"app_display_name": "Email Notifications", "device_display_name": address}
    details = orjson.dumps({**names, "lang": "en", "data": {}})
    pusher = Pusher(0, user_nid, MAIL_APP, address, MAIL, 0, details, int(time.time() * 1000))
    store.set(transaction, pusher, keeps_others=False)
