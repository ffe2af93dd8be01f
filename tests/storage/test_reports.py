"""Reports are kept, listed in pages, found by parts of ids, and removed."""

import pytest

from core.storage.reports import Report, ReportStore, Subject


@pytest.fixture
def reports(database, writer):
    store = ReportStore(database)
    for n in range(5):
        report = Report(0, Subject.EVENT, n, "@a_b:x", f"!room{n % 2}:x", "$e", "@c:x", f"reason {n} ✓", -n)
        writer.submit(lambda transaction, report=report: store.add(transaction, report))
    other = Report(0, Subject.USER, 9, "@axb:x", "", "", "@c:x", None, None)
    writer.submit(lambda transaction: store.add(transaction, other))
    yield store
    for subject in Subject:
        for report in store.listed(subject)[0]:
            writer.submit(lambda transaction, report=report: store.remove(transaction, report.nid, report.subject))


def test_pages_come_from_either_end(reports):
    newest, total = reports.listed(Subject.EVENT, offset=1, limit=2)
    assert ([one.received_ms for one in newest], total) == ([3, 2], 5)
    oldest, _ = reports.listed(Subject.EVENT, limit=2, newest_first=False)
    assert [(one.received_ms, one.reason, one.score) for one in oldest] == [(0, "reason 0 ✓", 0), (1, "reason 1 ✓", -1)]


def test_filters_take_parts_of_ids_literally(reports):
    assert reports.listed(Subject.EVENT, room_id="room1")[1] == 2
    assert reports.listed(Subject.EVENT, reporter="a_b", target="@c")[1] == 5
    assert reports.listed(Subject.USER, reporter="a_b")[1] == 0
    assert reports.listed(Subject.USER, reporter="a%")[1] == 0


def test_one_is_found_and_removed_by_its_number_and_kind(reports, writer):
    (report,), _ = reports.listed(Subject.USER)
    assert reports.find(report.nid, Subject.USER) == report
    assert reports.find(report.nid, Subject.EVENT) is None
    assert writer.submit(lambda transaction: reports.remove(transaction, report.nid, Subject.USER))
    assert reports.find(report.nid, Subject.USER) is None
