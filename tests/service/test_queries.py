"""The lists that people page through, and the keys of writes, on each kind of database."""

from __future__ import annotations

from jupyterhub_mesos.service.rows import (
    KEY_SECONDS,
    AuditQuery,
    AuditRow,
    Batch,
    KeyName,
    KeyRow,
    RequestQuery,
)
from jupyterhub_mesos.service.store import Store


def opened(url: str) -> Store:
    store = Store(url)
    store.open()
    return store


def happened(at: float, who: str, what: str, subject: str, why: str) -> AuditRow:
    return AuditRow(at, who, what, subject, why)


def test_the_audit_is_found_by_who_what_subject_text_and_time_and_comes_in_pages(url: str) -> None:
    store = opened(url)
    rows = [
        happened(1.0, "ada", "granted", "r1-1", "room"),
        happened(2.0, "mia", "refused", "r2", "100% of it is USED"),
        happened(3.0, "ada", "granted", "r3-1", "room_for two"),
    ]
    store.write(Batch(at=3.0, audit=rows))

    def found(**wanted: object) -> list[str]:
        page, _ = store.audit_page(AuditQuery(**wanted))  # type: ignore[arg-type]  # what each test names
        return [row.subject for row in page]

    assert found() == ["r3-1", "r2", "r1-1"]
    assert found(who="ada") == ["r3-1", "r1-1"]
    assert found(what="refused") == ["r2"]
    assert found(subjects=frozenset({"r1-1", "r2"})) == ["r2", "r1-1"]
    assert (found(text="used"), found(text="100%"), found(text="m_f")) == (["r2"], ["r2"], ["r3-1"])
    assert (found(since=2.0), found(until=2.0)) == (["r3-1", "r2"], ["r1-1"])
    first, before = store.audit_page(AuditQuery(limit=2))
    assert [row.subject for row in first] == ["r3-1", "r2"]
    assert [row.subject for row in store.audit_page(AuditQuery(limit=2, before=before))[0]] == ["r1-1"]
    assert store.requests(RequestQuery(text="a\0b")) == ((), None)
    store.close()


def test_a_key_is_read_back_replaced_and_forgotten_after_its_time(url: str) -> None:
    store, name, old = opened(url), KeyName("user:mia", "k1"), KeyName("user:mia", "old")
    first = KeyRow(name, "d" * 64, 100.0, ("r1",))
    store.write(Batch(at=100.0, keys={name: first, old: KeyRow(old, "e" * 64, 50.0)}))
    assert store.key(name) == first
    answered = KeyRow(name, "d" * 64, 101.0, (), 201, "/there", '{"id":"r1"}')
    store.write(Batch(at=50.0 + KEY_SECONDS + 1, keys={name: answered}))
    assert store.key(name) == answered
    assert store.key(old) is None
    store.close()
