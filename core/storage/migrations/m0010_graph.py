"""The event graph: rooms, events, their edges and states, and what is derived from them in the append's transaction."""

from core.storage.edges import BackwardExtremity, Edge
from core.storage.events import AuthEdges, EventRow
from core.storage.extremities import ForwardExtremity
from core.storage.memberships import ForgottenRow, MembershipRow, OutOfBandRow
from core.storage.migrations.migrating import Migration, add_sequence, create_tables
from core.storage.purges import Purge
from core.storage.redactions import RedactionRow
from core.storage.relations import RelationRow
from core.storage.room_servers import RoomServer
from core.storage.rooms import Room
from core.storage.state_deltas import StateDeltaRow
from core.storage.state_lines import CurrentState, Keyframe, StateChange, StateLine
from core.storage.transaction_ids import TransactionIdRow

MIGRATION = Migration(
    number=10,
    name="graph",
    previous_release_can_run=True,
    steps=(
        create_tables(
            Room,
            EventRow,
            AuthEdges,
            Edge,
            BackwardExtremity,
            ForwardExtremity,
            StateLine,
            StateChange,
            Keyframe,
            CurrentState,
            StateDeltaRow,
            MembershipRow,
            ForgottenRow,
            OutOfBandRow,
            RoomServer,
            RedactionRow,
            RelationRow,
            TransactionIdRow,
            Purge,
        ),
        add_sequence("rooms"),
        add_sequence("events"),
    ),
)
