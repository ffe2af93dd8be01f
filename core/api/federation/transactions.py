"""Transactions: how servers push to one another. Spec: Server-Server API, "Transactions"."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.api.federation.server_gate import ServerGate
from core.federation.inbound_transactions import InboundTransactions
from core.web.schemas import json_reply

MAX_TRANSACTION_BYTES = 16 * 1024 * 1024
"""Room for 50 of the largest PDUs and 100 EDUs."""


def blueprint(transactions: InboundTransactions, gate: ServerGate) -> Blueprint:
    """The one endpoint."""
    bp = Blueprint("federation_transactions", __name__)

    @bp.put("/_matrix/federation/v1/send/<txn_id>")
    def send_transaction(txn_id: str) -> ResponseReturnValue:
        """Receive PDUs and EDUs."""
        origin, content = gate.read(request, MAX_TRANSACTION_BYTES)
        return json_reply({"pdus": transactions.receive(origin, txn_id, content)})

    return bp
