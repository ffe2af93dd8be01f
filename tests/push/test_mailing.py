"""When users are mailed about what they missed, and what the mail says; the mail server is a list."""

from __future__ import annotations

import orjson
import pytest

from core.errors import Forbidden, Unavailable
from core.graph.drafts import Draft
from core.ids import UserId
from core.mail.templates import Templates
from core.push.mailing.content import MailContent
from core.push.mailing.missed import MissedReader
from core.push.mailing.sender import FIRST_PAUSE_MS, LONGEST_PAUSE_MS, QUIET_MS, MailSender
from core.push.mailing.subjects import Subjects
from core.push.mailing.unsubscribing import Unsubscribing
from core.storage.log import LogReader
from core.storage.mail_pauses import MailPauseStore
from core.storage.pushers import MAIL, MAIL_APP, Pusher, PusherStore
from core.storage.receipts import UNTHREADED, Receipt, ReceiptStore, ReceiptType
from tests.graph.local_room import ANNA, BEN, create_room, member, message
from tests.push.counting import Counting, nid

ADDRESS = "ben@example.org"
DELAY_MS = 600_000


class Post:
    """Takes mails, or does not; says whose the address is, and what time it is."""

    def __init__(self) -> None:
        self.mails = []
        self.is_down = False
        self.owner: UserId | None = BEN
        self.seconds = 0.0

    def send(self, mail) -> None:
        if self.is_down:
            raise Unavailable("There is no mail server.")
        self.mails.append(mail)


class Mailing:
    """A sender with a pusher of Ben's."""

    def __init__(self, database, writer, tail, graph, post) -> None:
        self.graph, self.writer, self.post = graph, writer, post
        self.store, self.counting = PusherStore(database), Counting(database, writer, tail, graph)
        self.receipts, log = ReceiptStore(database), LogReader(database)
        unsubscribing = Unsubscribing("https://here.test/", b"key", graph, self.store, writer)
        content = MailContent(graph, Templates(), Subjects({}, "Us"), unsubscribing, None, "Us")
        missed = MissedReader(graph, self.counting.ledger, log)
        args = (self.store, MailPauseStore(database), missed, content, graph, writer, post.send)
        self.sender = MailSender(*args, lambda address: post.owner, DELAY_MS, lambda: post.seconds)
        pusher = Pusher(0, nid(graph, BEN), MAIL_APP, ADDRESS, MAIL, 0, orjson.dumps({}), 0)
        writer.submit(lambda transaction: self.store.set(transaction, pusher, False))
        self.pusher = self.store.of_user(pusher.user_nid)[0].pusher_nid

    def look(self, event, after_ms: float) -> float | None:
        """The sender has a look so long after an event."""
        self.post.seconds = (event.origin_server_ts + after_ms) / 1000
        return self.sender.attend(self.pusher)

    def read(self, event) -> None:
        """Ben reads up to an event."""
        place = (event.nid, event.event_id, 10**9, event.local_depth, 0)
        receipt = Receipt(nid(self.graph, BEN), event.room_nid, ReceiptType.PUBLIC, UNTHREADED, *place)
        self.writer.submit(lambda transaction: self.receipts.move(transaction, receipt))


@pytest.fixture
def post():
    return Post()


@pytest.fixture
def mailing(database, writer, tail, graph, post):
    return Mailing(database, writer, tail, graph, post)


@pytest.fixture
def room(graph):
    room = create_room(graph).room_nid
    graph.write.send(room, [Draft("m.room.name", ANNA, {"name": "Garden <3\n"}, ""), member(BEN)])
    return room


@pytest.fixture
def event(graph, room, mailing):
    event = graph.write.send(room, [message(ANNA, "Are you <there>?")])[0]
    mailing.counting.write()
    return event


def test_what_stays_unread_for_so_long_is_mailed(mailing, event, post):
    assert mailing.look(event, 1_000) == pytest.approx((DELAY_MS - 1_000) / 1000)
    assert post.mails == []
    assert mailing.look(event, DELAY_MS) is None
    (mail,) = post.mails
    assert (mail.to, mail.subject) == (ADDRESS, f"[Us] A message from {ANNA} in Garden <3")
    assert f"{ANNA}: Are you <there>?" in mail.text
    assert "Are you &lt;there&gt;?" in mail.html
    assert f"https://matrix.to/#/{event.room_id}/{event.event_id}" in mail.html
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.headers["List-Unsubscribe"][1:-1] in mail.text
    assert mailing.store.queue(mailing.pusher) == []


def test_what_was_read_meanwhile_is_not(mailing, event, post):
    mailing.read(event)
    mailing.counting.follow()
    assert mailing.look(event, DELAY_MS) is None
    assert (post.mails, mailing.store.queue(mailing.pusher)) == ([], [])


def test_the_second_mail_about_a_room_waits_and_the_third_for_a_day(mailing, graph, room, event, post):
    mailing.look(event, DELAY_MS)
    waits = []
    for _ in range(2):
        graph.write.send(room, [message(ANNA, "again")])
        mailing.counting.write()
        sent_ms = post.seconds * 1000
        post.seconds += 1
        waits.append(mailing.sender.attend(mailing.pusher) + 1)
        post.seconds = sent_ms / 1000 + waits[-1]
        assert mailing.sender.attend(mailing.pusher) is None
    assert waits == [pytest.approx(FIRST_PAUSE_MS / 1000), pytest.approx(LONGEST_PAUSE_MS / 1000)]
    assert len(post.mails) == 3


def test_a_room_that_was_quiet_for_long_is_not_held_back(mailing, graph, room, event, post):
    mailing.look(event, DELAY_MS)
    pause = mailing.sender._pauses.of(mailing.pusher)[room]
    long_ago = type(pause)(room, pause.sent_ms - DELAY_MS - QUIET_MS - 10_000, LONGEST_PAUSE_MS)
    mailing.writer.submit(lambda transaction: mailing.sender._pauses.put(transaction, mailing.pusher, [long_ago]))
    again = graph.write.send(room, [message(ANNA, "again")])[0]
    mailing.counting.write()
    assert mailing.look(again, DELAY_MS) is None
    assert len(post.mails) == 2


def test_an_invite_is_mailed_while_it_stands(mailing, graph, post):
    room = create_room(graph).room_nid
    invite = graph.write.send(room, [Draft("m.room.member", ANNA, {"membership": "invite"}, BEN)])[0]
    mailing.counting.write()
    mailing.look(invite, DELAY_MS)
    assert [mail.subject for mail in post.mails] == [f"[Us] {ANNA} would like to talk to you"]


def test_a_mail_that_is_not_taken_stays_queued(mailing, event, post):
    post.is_down = True
    with pytest.raises(Unavailable):
        mailing.look(event, DELAY_MS)
    assert len(mailing.store.queue(mailing.pusher)) == 1
    post.is_down = False
    assert mailing.look(event, DELAY_MS) is None
    assert len(post.mails) == 1


def test_who_has_lost_the_address_is_mailed_there_no_more(mailing, event, post):
    post.owner = ANNA
    assert mailing.look(event, DELAY_MS) is None
    assert (post.mails, mailing.store.find(mailing.pusher)) == ([], None)


def test_subjects_are_the_administrators_and_safe_for_a_header():
    subjects = Subjects({"messages_in_room": "%(app)s|%(room)s|%(person)s|%(other)s"}, "Us")
    assert (
        subjects.make("messages_in_room", room="a\r\nBcc: b %(person)s", person="\x00P") == "Us|a Bcc: b %(person)s|P|"
    )


def test_a_link_to_unsubscribe_is_good_for_its_reader_only(mailing, graph, writer):
    unsubscribing = Unsubscribing("https://here.test", b"key", graph, mailing.store, writer)
    mac = unsubscribing.link(BEN, ADDRESS).rpartition("h=")[2]
    with pytest.raises(Forbidden):
        unsubscribing.end(ANNA, ADDRESS, mac)
    unsubscribing.end(BEN, ADDRESS, mac)
    assert mailing.store.find(mailing.pusher) is None
