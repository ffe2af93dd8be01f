"""The media repository on both engines: uploads, quotas, deletion, moving, and what a crash leaves."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadRequest, Conflict, Forbidden, LimitExceeded, NotFound, TooLarge, Unavailable
from core.hooks import MediaPolicy, Reject, hookimpl
from core.media.plugin_media import PluginMedia
from core.media.spool import Body
from core.media.upload_limits import Quota
from core.storage.media_files import StoredFile
from core.storage.media_references import Referrer
from tests.storage.media_repository import ALICE, BOB, NAME, Repository


@pytest.fixture
def repository(database, writer, tmp_path):
    return Repository(database, writer, tmp_path)


def test_equal_content_is_one_file_and_goes_with_its_last_user(repository):
    first, second = repository.upload(b"same"), repository.upload(b"same", BOB)
    assert len(repository.on_disk()) == 1
    repository.curation.delete([repository.media.find(NAME, first)])
    assert repository.read(second) == b"same"
    repository.curation.delete([repository.media.find(NAME, second)])
    assert repository.on_disk() == set()
    with pytest.raises(NotFound):
        repository.read(second)


def test_an_upload_that_is_refused_leaves_nothing(repository):
    with pytest.raises(TooLarge):
        repository.uploads.upload(ALICE, Body(io.BytesIO(b"x" * 1001), None), "text/plain", None)
    with pytest.raises(BadRequest, match="broke off after 3 of 9"):
        repository.uploads.upload(ALICE, Body(io.BytesIO(b"abc"), 9), "text/plain", None)
    assert repository.on_disk() == repository.on_disk("incoming") == set()


def test_a_quota_counts_what_was_uploaded_within_its_period(database, writer, tmp_path):
    repository = Repository(database, writer, tmp_path, quotas=(Quota(5000, 100),))
    repository.upload(b"x" * 60)
    with pytest.raises(Forbidden, match="100 bytes"):
        repository.upload(b"y" * 41)
    repository.upload(b"y" * 41, BOB)
    repository.now_ms += 5000
    repository.upload(b"y" * 41)


def test_an_upload_of_unknown_length_beyond_the_quota_leaves_nothing(database, writer, tmp_path):
    repository = Repository(database, writer, tmp_path, quotas=(Quota(5000, 100),))
    with pytest.raises(Forbidden):
        repository.uploads.upload(ALICE, Body(io.BytesIO(b"x" * 101), None), "text/plain", None)
    assert repository.on_disk() == set()


def test_reserved_ids_expire_and_are_counted_until_then(repository):
    uri, expires_ms = repository.uploads.create(ALICE)
    repository.uploads.create(ALICE)
    with pytest.raises(LimitExceeded):
        repository.uploads.create(ALICE)
    repository.now_ms = expires_ms
    media_id = uri.rpartition("/")[2]
    with pytest.raises(NotFound):
        repository.uploads.fill(ALICE, NAME, media_id, Body(io.BytesIO(b"x"), 1), None, None)
    repository.uploads.create(ALICE)


def test_of_two_uploads_to_one_id_the_second_is_refused(repository):
    media_id = repository.uploads.create(ALICE)[0].rpartition("/")[2]

    class Racing(io.BytesIO):
        def readinto(self, memory):
            if not self.tell():
                repository.uploads.fill(ALICE, NAME, media_id, Body(io.BytesIO(b"fast"), 4), None, None)
            return super().readinto(memory)

    with pytest.raises(Conflict):
        repository.uploads.fill(ALICE, NAME, media_id, Body(Racing(b"slow"), 4), None, None)
    assert repository.read(media_id) == b"fast"
    assert len(repository.on_disk()) == 1


def test_content_that_is_deleted_while_it_is_uploaded_again_is_kept(repository):
    first = repository.upload(b"same")
    known = repository.files.find_by_hash

    def deleted_meanwhile(sha256):
        found = known(sha256)
        if (media := repository.media.find(NAME, first)) is not None:
            repository.curation.delete([media])
        return found

    repository.keeper._files = SimpleNamespace(
        find_by_hash=deleted_meanwhile,
        lock_by_hash=repository.files.lock_by_hash,
        add=repository.files.add,
        is_known=repository.files.is_known,
    )
    assert repository.read(repository.upload(b"same")) == b"same"


def test_a_move_takes_everything_along_and_can_be_begun_again(repository):
    media_ids = [repository.upload(content) for content in (b"a", b"b", b"c")]

    def stop_after_the_first(moved, size):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        repository.mover.move("other", stop_after_the_first)
    assert len(repository.on_disk("second")) == 1
    assert repository.mover.move("other", lambda moved, size: None) == 2
    assert [repository.read(media_id) for media_id in media_ids] == [b"a", b"b", b"c"]
    assert (repository.on_disk("first"), len(repository.on_disk("second"))) == (set(), 3)


def test_a_check_finds_what_is_missing_and_what_is_damaged(repository):
    for content in (b"good", b"gone", b"bent"):
        repository.upload(content)
    paths = {path.read_bytes(): path for path in (repository.root / "first").rglob("*") if path.is_file()}
    paths[b"gone"].unlink()
    paths[b"bent"].write_bytes(b"tneb")
    found = repository.mover.check(reads=True)
    assert (found.files, found.missing, found.damaged) == (3, [paths[b"gone"].name], [paths[b"bent"].name])


def test_a_file_stored_and_never_entered_is_swept_away(repository):
    kept = repository.upload(b"kept")
    with repository.spool.open() as spooled:
        spooled.file.write(b"orphan")
        repository.vault.write(spooled.file_id, spooled.file)
        journal = spooled.path.read_bytes()
        name = spooled.path
        assert repository.deletion.sweep(repository.spool) == 0
    name.write_bytes(journal)
    assert repository.deletion.sweep(repository.spool) == 1
    assert (len(repository.on_disk()), repository.on_disk("incoming")) == (1, set())
    assert repository.read(kept) == b"kept"


def test_retention_goes_by_when_media_was_last_asked_for(repository):
    seen, unseen = repository.upload(b"seen"), repository.upload(b"unseen")
    repository.now_ms += 10_000
    repository.read(seen)
    repository.sightings.flush()
    gone = repository.curation.delete_old(repository.now_ms - 5_000, is_local=True)
    assert gone == [unseen]


class Judge:
    """Rejects what contains `bad`, fails on `broken`, and allows the user BOB three bytes."""

    def __init__(self):
        self.stored = []

    @hookimpl
    def check_media(self, head, path):
        assert Path(path).read_bytes() == head
        if b"broken" in head:
            raise RuntimeError("the scanner is down")
        return Reject("M_FORBIDDEN", "That is malware.") if b"bad" in head else None

    @hookimpl
    def media_policy(self, user_id):
        return MediaPolicy(max_upload_bytes=3) if user_id == BOB.user_id else None

    @hookimpl
    def media_stored(self, mxc, size_bytes):
        self.stored.append(size_bytes)


def test_plugins_judge_a_file_before_anybody_can_have_it(database, writer, tmp_path):
    judge = Judge()
    repository = Repository(database, writer, tmp_path, more={"judge": judge})
    with pytest.raises(Forbidden, match="malware"):
        repository.upload(b"bad")
    with pytest.raises(Unavailable):
        repository.upload(b"broken")
    with pytest.raises(TooLarge):
        repository.upload(b"good", BOB)
    assert repository.on_disk() == repository.on_disk("incoming") == set()
    repository.upload(b"good")
    assert judge.stored == [4]


def test_a_plugin_stores_and_reads_files(repository, interner):
    facade = PluginMedia(repository.uploads, repository.downloads, repository.curation, interner)
    uri = facade.store(ALICE.user_id, b"made", "text/csv", "a.csv")
    assert facade.read(uri) == ("text/csv; charset=UTF-8", b"made")
    assert (facade.read("mxc://here.example/none"), facade.read("no uri")) == (None, None)
    with pytest.raises(TooLarge):
        facade.read(uri, max_bytes=3)


def test_what_a_plugin_stores_for_a_while_goes_by_itself_unless_something_refers_to_it(repository, interner):
    facade = PluginMedia(repository.uploads, repository.downloads, repository.curation, interner)
    kept, gone, early = (facade.store_for_a_while(content, "image/png", 2) for content in (b"kept", b"gone", b"early"))
    parsed = (NAME, kept.rpartition("/")[2])
    repository.writer.submit(
        lambda transaction: repository.references.replace(transaction, Referrer.EVENT, {1: (1, {parsed})})
    )
    facade.delete_early(early)
    facade.delete_early(f"mxc://{NAME}/{repository.upload(b'not passing')}")
    listed = repository.curation.unreferenced(repository.now_ms + 1, may_be_encrypted=True)
    assert {one.user_nid for one in listed} == {ALICE.user_nid}
    assert repository.curation.delete_expired() == 0
    repository.now_ms += 2_000
    assert repository.curation.delete_expired() == 1
    assert [facade.read(uri) for uri in (kept, gone, early)] == [("image/png", b"kept"), None, None]


def test_what_has_the_content_of_quarantined_media_is_in_quarantine(repository):
    first = repository.upload(b"bad")
    repository.curation.quarantine(NAME, first, BOB.user_id)
    with pytest.raises(NotFound):
        repository.read(repository.upload(b"bad"))


def test_a_reserved_id_that_expired_is_forgotten_unless_it_was_filled(repository):
    uri, _ = repository.uploads.create(ALICE)
    repository.uploads.create(ALICE)
    repository.uploads.fill(ALICE, NAME, uri.rpartition("/")[2], Body(io.BytesIO(b"x"), 1), None, None)
    repository.now_ms += 10_000
    assert repository.curation.delete_expired() == 1
    assert repository.read(uri.rpartition("/")[2]) == b"x"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.booleans()), min_size=1, max_size=12))
def test_deleting_what_nothing_refers_to_keeps_everything_that_is_referred_to(repository, history):
    """Random histories of uploads (equal content included) and references that come and go."""
    before = repository.on_disk()
    uploads, referred = [], {}
    for step, (what, which, is_shared) in enumerate(history):
        if what < 2 or not uploads:
            content = b"shared" if is_shared else b"%d %d" % (repository.now_ms, step)
            uploads.append((repository.upload(content), content))
        else:
            media_id = uploads[which % len(uploads)][0]
            media = {(NAME, media_id)} if what == 2 else set()
            owner = repository.now_ms + which
            repository.writer.submit(
                lambda transaction, owner=owner, media=media: repository.references.replace(
                    transaction, Referrer.EVENT, {owner: (1, media)}
                )
            )
            referred[owner] = media
    repository.now_ms += 100
    repository.curation.delete(list(repository.curation.unreferenced(repository.now_ms)))
    kept = {media_id for media in referred.values() for _, media_id in media}
    for media_id, content in uploads:
        if media_id in kept:
            assert repository.read(media_id) == content
        else:
            with pytest.raises(NotFound):
                repository.read(media_id)
    assert len(repository.on_disk() - before) <= len({content for media_id, content in uploads if media_id in kept})


def test_what_a_crash_left_is_cleared_away_in_every_backend(database, writer, tmp_path):
    repository = Repository(database, writer, tmp_path)
    with repository.spool.receiving(Body(io.BytesIO(b"x"), 1), 10) as spooled:
        repository.vault.write(spooled.file_id, spooled.file, "other")
        (tmp_path / "incoming" / "held").hardlink_to(spooled.path)
    (tmp_path / "incoming" / "held").rename(tmp_path / "incoming" / spooled.file_id)
    assert repository.on_disk("second") == {spooled.file_id}
    assert repository.deletion.sweep(repository.spool) == 1
    assert repository.on_disk("second") == repository.on_disk("incoming") == set()


def test_a_move_that_is_broken_off_and_not_begun_again_leaves_no_copy(repository, monkeypatch):
    def broken_off(*_):
        raise SystemError

    media_id = repository.upload(b"stays")
    monkeypatch.setattr(repository.files, "relocate", broken_off)
    with pytest.raises(SystemError):
        repository.mover.move("other", lambda *_: None)
    assert len(repository.on_disk("second")) == 1
    repository.deletion.sweep(repository.spool)
    assert repository.on_disk("second") == set()
    assert repository.read(media_id) == b"stays"
    monkeypatch.undo()
    assert repository.mover.move("other", lambda *_: None) == 1
    assert (repository.on_disk("first"), repository.read(media_id)) == (set(), b"stays")


def test_what_an_absent_backend_will_not_let_go_of_keeps_nothing_else(repository):
    gone = [StoredFile(f"{number:032x}", 1, "absent") for number in range(600)]
    repository.writer.submit(lambda transaction: [repository.files.doom(transaction, file) for file in gone])
    media_id = repository.upload(b"mine")
    repository.curation.delete([repository.media.find(NAME, media_id)])
    assert repository.on_disk() == set()
