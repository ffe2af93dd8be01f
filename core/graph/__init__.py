"""The stored graph: how a room grows, what its state was at any event, in which order its history is read.

Owns append, states, history order, redaction of stored bytes and purge. Which events may exist is core.events' to say;
what users do in rooms is core.rooms'; fetching what is missing is core.federation's.
"""

from core.graph.drafts import Draft, TransactionId
from core.graph.stored_event import Place, StateRef, StoredEvent, Verdict

__all__ = ["Draft", "Place", "StateRef", "StoredEvent", "TransactionId", "Verdict"]
