"""The tables of the log, the same on SQLite and PostgreSQL.

An entry's repeated parts are kept once and named by number: who called (`identities`), what was called
(`frames`), and single strings. The numbers are derived; what is hashed is the whole record, put together again.
"""

from __future__ import annotations

import enum
from typing import Final

import sqlalchemy as sa

from ledger.log.bodies import AUTHORIZED

metadata = sa.MetaData()

CHANGES = "changes"
"""In the `info` of a table, or of the metadata of many: the columns whose values change, or `ROWS` where rows are replaced and go.
Rows of a table that says nothing are only added to. By it a role of PostgreSQL gets what it may do: see `privileges`.
"""
ROWS = "rows"

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account_id", sa.String(12), nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False, comment="the head: how many entries the log has"),
    info={CHANGES: ("size",)},
)

principals = sa.Table(
    "principals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.BigInteger, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("account_id", sa.Text),
    sa.Column("unique_id", sa.Text, index=True),
    sa.Column("arn", sa.Text, index=True),
    sa.Column("name", sa.Text, index=True),
    sa.Column("pseudonym", sa.LargeBinary, nullable=False, comment="16 random bytes, for the leaves"),
    comment="the lasting principals: users, roles (not their sessions), root, services, other accounts",
)

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.BigInteger, nullable=False, unique=True),
    sa.Column("principal", sa.Integer, sa.ForeignKey("principals.id"), nullable=False, index=True),
    sa.Column("session_arn", sa.Text, index=True),
    sa.Column("document", sa.LargeBinary, nullable=False),
    comment="userIdentity elements, less the access key id and the time at which the session began",
)

frames = sa.Table(
    "frames",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.BigInteger, nullable=False, unique=True),
    sa.Column("action", sa.Integer, nullable=False, index=True),
    sa.Column("read_only", sa.Boolean, nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
    comment="the members of a record that say which call it was, where, and how it ended",
)


class Kind(enum.IntEnum):
    """What a row of `strings` is."""

    ACTION = 1
    ERROR = 2
    ADDRESS = 3
    AGENT = 4
    KEY = 5
    RESOURCE = 6


strings = sa.Table(
    "strings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("digest", sa.BigInteger, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.UniqueConstraint("kind", "digest"),
)

dictionaries = sa.Table(
    "dictionaries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
    comment="zstd dictionaries that bodies are compressed with",
)

arrivals = sa.Table(
    "arrivals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("recorded_at", sa.BigInteger, nullable=False, comment="milliseconds since 1970"),
    sa.Column(
        "origin", sa.LargeBinary, nullable=False, comment="canonical JSON: native, or a file and its digest"
    ),
    comment="whence entries came: a file, or this ledger itself, from a moment on",
)

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time", sa.BigInteger, nullable=False, comment="eventTime, seconds since 1970"),
    sa.Column("event_head", sa.Integer, nullable=False, comment="the event id's first 32 bits"),
    sa.Column("event_tail", sa.LargeBinary, nullable=False),
    sa.Column("frame", sa.Integer, nullable=False),
    sa.Column("action", sa.Integer, nullable=False),
    sa.Column("error", sa.Integer),
    sa.Column("identity", sa.Integer, nullable=False),
    sa.Column("principal", sa.Integer, nullable=False),
    sa.Column("back", sa.BigInteger, comment="how many positions back the principal's previous entry is"),
    sa.Column("access_key", sa.Integer),
    sa.Column("session_began", sa.BigInteger),
    sa.Column("address", sa.Integer),
    sa.Column("agent", sa.Integer),
    sa.Column("arrival", sa.Integer, nullable=False),
    sa.Column("lag", sa.Integer, nullable=False, comment="milliseconds from the arrival to the entry"),
    sa.Column(
        "coding",
        sa.Integer,
        nullable=False,
        comment="16 x dictionary + layout of the body; 2^30 more with an authorization",
    ),
    sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

NO_TIME: Final = -1
HAS_RECORD: Final = entries.c.time + 0 > NO_TIME  # `+ 0`, or SQLite takes the index by time for it
"""That an entry's record was not erased. One that was is at no time, and so in no stretch of time that is asked for."""

sa.Index("entries_event", entries.c.event_head)
sa.Index("entries_time", entries.c.time)
sa.Index("entries_principal", entries.c.principal, entries.c.time)
sa.Index(
    "entries_access_key",
    entries.c.access_key,
    entries.c.time,
    sqlite_where=entries.c.access_key.isnot(None),
    postgresql_where=entries.c.access_key.isnot(None),
)
sa.Index("entries_action", entries.c.action, entries.c.time)
sa.Index("entries_address", entries.c.address, entries.c.time)
sa.Index("entries_agent", entries.c.agent, entries.c.time)
sa.Index(
    "entries_error",
    entries.c.error,
    entries.c.time,
    sqlite_where=entries.c.error.isnot(None),
    postgresql_where=entries.c.error.isnot(None),
)

sa.Index(
    "entries_authorized",
    entries.c.account,
    entries.c.position,
    sqlite_where=entries.c.coding >= AUTHORIZED,
    postgresql_where=entries.c.coding >= AUTHORIZED,
)

tails = sa.Table(
    "tails",
    metadata,
    sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("principal", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    comment="the last entry of each principal, which its next entry points back to",
    info={CHANGES: ("position",)},
)

mentions = sa.Table(
    "mentions",
    metadata,
    sa.Column("resource", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("time", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    comment="which entry names which resource",
    sqlite_with_rowid=False,
)

tiles = sa.Table(
    "tiles",
    metadata,
    sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False, comment="up to 256, of 32 bytes"),
    comment="the tree of each log from level 1 on; of level 0 the tiles are the entries' leaf hashes",
    info={CHANGES: ("hashes",)},
)

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("note", sa.LargeBinary, nullable=False, comment="the signed note, as it was given out"),
    comment="what was signed of each log",
)

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("account", sa.Integer, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("erased_by", sa.BigInteger, nullable=False, comment="the position of the entry that says so"),
    sa.Column("commitment", sa.LargeBinary, nullable=False, comment="what the leaf names, 32 bytes"),
    sa.UniqueConstraint("account", "position"),
    comment="what is left of entries whose records were erased",
)

cosignatures = sa.Table(
    "cosignatures",
    metadata,
    sa.Column("account", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("signer", sa.Text, primary_key=True, comment="the witness's name and the number of its key"),
    sa.Column("line", sa.LargeBinary, nullable=False, comment="as it stands under the note"),
    comment="what witnesses signed of checkpoints",
)

IMMUTABLE = (
    "entries",
    "mentions",
    "frames",
    "identities",
    "principals",
    "strings",
    "arrivals",
    "dictionaries",
)
