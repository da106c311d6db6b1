"""The tables, and how a SQLite database of ours is opened.

The same tables serve PostgreSQL: plain types, no SQLite tricks in the statements. Three choices come from measurements
(SQLite, `synchronous=FULL`, 512 appends a commit, 1,000 sessions, two noisy cores):

- Records lie in one table in the order of their arrival, with one index: 89,000 appends/s against 16,000 for a table
  keyed by (session, seq), which dirties a page per session per commit.
- Tables name a session by a small number (`sno`), not by its 32 letters: 89,000 against 57,000.
- `dedup_key` has no index of its own here, which would bring it to 31,000. The writing process holds the keys of the
  sessions it works on in memory, read from these tables; a lock file makes sure that there is only one such process.
  PostgreSQL, with many writers, gets UNIQUE (sno, dedup_key).

- Whether a message is open is a column of its own, for the index of the open ones. An index over `state IN (…)` had to
  be looked at for every change of a state: 33 µs of the 49 of a message's three changes; they are 22 now.

There is no column for the head: it is the newest `seq`, or the floor when all was trimmed, and can't disagree with
the records.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from guestwire.errors import ConfigError

__all__ = ["BUSY_MS", "CHECKPOINT_PAGES", "SCHEMA_VERSION", "check_library", "lock_store", "open_reader", "open_writer"]

SCHEMA_VERSION = 2

# 3.7.0 to 3.51.2 can corrupt a WAL database when two connections write and checkpoint at once
# (https://www.sqlite.org/wal.html#walresetbug). We have one writer, yet an operator's tool may open the file too.
_OLDEST_SQLITE = (3, 51, 3)

BUSY_MS = 5000
"""How long a thread waits for another program's lock; the event loop does not."""
_LOCK_MS = 1000  # one that was killed lets go at once, one that is stopping within this; another one never will
CHECKPOINT_PAGES = 4000
"""16 MiB of write-ahead log, then the writer moves it into the database; not tuned by measurement."""

_CACHE_KIB = 16384

_TABLES = """
CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    schema_version INTEGER NOT NULL,
    generation TEXT NOT NULL,
    commits BIGINT NOT NULL
);
CREATE TABLE session (
    sno INTEGER PRIMARY KEY,
    sid TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    floor INTEGER NOT NULL DEFAULT 0,
    owner_node TEXT,
    fence INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    provider_ref BLOB NOT NULL,
    details BLOB NOT NULL,
    created_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    expires_ms BIGINT
);
CREATE INDEX session_open ON session (sno) WHERE state <> 'ended';
CREATE INDEX session_expires ON session (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    sno INTEGER NOT NULL REFERENCES session (sno) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    dedup_key TEXT,
    order_key TEXT,
    late INTEGER NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX record_seq ON record (sno, seq);
CREATE TABLE seen (
    sno INTEGER NOT NULL REFERENCES session (sno) ON DELETE CASCADE,
    dedup_key TEXT NOT NULL,
    PRIMARY KEY (sno, dedup_key)
);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    sno INTEGER NOT NULL REFERENCES session (sno) ON DELETE CASCADE,
    oseq INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    body BLOB NOT NULL,
    body_hash BLOB NOT NULL,
    state TEXT NOT NULL,
    is_open INTEGER NOT NULL DEFAULT 1,
    attempts INTEGER NOT NULL DEFAULT 0,
    sent_at_ms BIGINT,
    retry_at_ms BIGINT,
    message_seq INTEGER NOT NULL,
    provider_id TEXT,
    error TEXT,
    fence INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX outbox_oseq ON outbox (sno, oseq);
CREATE INDEX outbox_open ON outbox (sno, oseq) WHERE is_open = 1;
CREATE TABLE resume (
    token_hash BLOB PRIMARY KEY,
    sno INTEGER NOT NULL REFERENCES session (sno) ON DELETE CASCADE,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX resume_sno ON resume (sno);
CREATE INDEX resume_expires ON resume (expires_ms);
CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    request_hash BLOB NOT NULL,
    sid TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX idempotency_sid ON idempotency (sid);
CREATE INDEX idempotency_created ON idempotency (created_ms);
"""

_FROM_1 = """
ALTER TABLE outbox ADD COLUMN is_open INTEGER NOT NULL DEFAULT 1;
UPDATE outbox SET is_open = 0 WHERE state NOT IN ('accepted', 'sending', 'waiting');
DROP INDEX outbox_open;
CREATE INDEX outbox_open ON outbox (sno, oseq) WHERE is_open = 1;
UPDATE store SET schema_version = 2;
"""


def check_library() -> None:
    """Refuse a SQLite that can corrupt the log.

    Raises:
        ConfigError: The SQLite that `apsw` carries is too old.
    """
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) < _OLDEST_SQLITE:
        wanted = ".".join(map(str, _OLDEST_SQLITE))
        raise ConfigError(f"Expected SQLite {wanted} or newer, got {version}: upgrade the package apsw.")


def lock_store(path: Path) -> apsw.Connection:
    """Make sure that no other process writes this log; the lock ends with the connection or the process.

    It is SQLite's own lock on an empty file beside the database, so it is the same on every system.

    Raises:
        ConfigError: Another process has it.
    """
    lock = apsw.Connection(str(path.with_name(f"{path.name}.lock")))
    try:
        lock.set_busy_timeout(_LOCK_MS)
        lock.execute("PRAGMA journal_mode=MEMORY")
        lock.execute("BEGIN EXCLUSIVE")
    except apsw.BusyError as error:
        lock.close()
        raise ConfigError(
            f"The session log {path.name} is in use by another process: stop that one, or give this one its own log."
        ) from error
    return lock


def open_writer(path: Path) -> apsw.Connection:
    """Open the one connection that writes and checkpoints, and bring the tables up to date.

    Raises:
        ConfigError: The database was written by a newer version of ours.
    """
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_MS)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "mmap_size=0",
        "wal_autocheckpoint=0",  # the writer does it, and takes note of the pages before
        f"journal_size_limit={2 * CHECKPOINT_PAGES * 4096}",
        f"cache_size=-{_CACHE_KIB}",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    tables = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'store'").get
    if tables == 0:
        with connection:
            connection.execute(_TABLES).fetchall()
            # No name yet: whoever opens the store gives it one, and with a name it is a store that has lived.
            connection.execute("INSERT INTO store VALUES (1, ?, '', 0)", (SCHEMA_VERSION,))
    version = connection.execute("SELECT schema_version FROM store").get
    if version == 1:
        with connection:
            connection.execute(_FROM_1).fetchall()
        version = SCHEMA_VERSION
    if version != SCHEMA_VERSION:
        connection.close()
        raise ConfigError(
            f"Expected a session log of schema {SCHEMA_VERSION}, got {version}: use the version that wrote {path.name}."
        )
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """Open a connection that only reads. Close it before the writer, so that it is never the one that checkpoints."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(BUSY_MS)
    for pragma in ("query_only=ON", "mmap_size=0", "wal_autocheckpoint=0", f"cache_size=-{_CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection
