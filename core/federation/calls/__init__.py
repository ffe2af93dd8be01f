"""Every request of the Server-Server API that this server makes of others, as methods with types.

`JoinCalls` for the handshakes of membership, `GraphCalls` for events and states, `ServerCalls` for all else. They
check that an answer has the shape the specification gives it, and nothing about what is in it: events are judged by who
asked. All raise what `SignedClient` raises, and RemoteNonsense for an answer of another shape.
"""

from core.federation.calls.graph_calls import GraphCalls
from core.federation.calls.join_calls import JoinCalls, Template
from core.federation.calls.server_calls import ServerCalls

__all__ = ["GraphCalls", "JoinCalls", "ServerCalls", "Template"]
