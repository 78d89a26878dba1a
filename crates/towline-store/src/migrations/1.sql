-- Frozen. A change of the schema is a new file beside this one.

-- What holds once per store.
CREATE TABLE device (
    only INTEGER PRIMARY KEY CHECK (only = 0),
    name TEXT NOT NULL,
    incarnation INTEGER NOT NULL
) STRICT;

-- Device keys by small numbers. Rows are never deleted, so a number keeps its meaning.
CREATE TABLE devices (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE CHECK (length(key) = 32)
) STRICT;

-- Actors by small numbers: a version vector of two is 5 bytes instead of 87. Never deleted either.
CREATE TABLE actors (
    id INTEGER PRIMARY KEY,
    device INTEGER NOT NULL REFERENCES devices,
    incarnation INTEGER NOT NULL,
    UNIQUE (device, incarnation)
) STRICT;

CREATE TABLE peers (
    device INTEGER PRIMARY KEY REFERENCES devices,
    name TEXT NOT NULL,
    compare BLOB NOT NULL,
    verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
    addresses BLOB NOT NULL,
    servers BLOB NOT NULL
) STRICT;

-- Records of folders, and sums that are kept in step with the rows.
CREATE TABLE folders (
    id INTEGER PRIMARY KEY,
    folder BLOB NOT NULL UNIQUE CHECK (length(folder) = 16),
    label TEXT NOT NULL,
    root TEXT NOT NULL,
    files INTEGER NOT NULL DEFAULT 0,
    directories INTEGER NOT NULL DEFAULT 0,
    symlinks INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    needs INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE shared_with (
    folder INTEGER NOT NULL REFERENCES folders,
    device INTEGER NOT NULL REFERENCES devices,
    PRIMARY KEY (folder, device)
) STRICT, WITHOUT ROWID;

-- Our own rows. With a rowid, because two more indexes would each repeat the path otherwise.
-- kind: 0 absent, 1 symlink, 2 file, 3 directory. Unsigned numbers are kept as the same 64 bits.
CREATE TABLE our_rows (
    id INTEGER PRIMARY KEY,
    folder INTEGER NOT NULL REFERENCES folders,
    path TEXT NOT NULL,
    version BLOB NOT NULL,
    author_actor INTEGER NOT NULL REFERENCES actors,
    author_counter INTEGER NOT NULL,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 3),
    size INTEGER,
    hash BLOB,
    executable INTEGER,
    target TEXT,
    mtime INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    stamp_size INTEGER,
    stamp_mtime INTEGER,
    stamp_ctime INTEGER,
    stamp_file_id INTEGER
) STRICT;
CREATE UNIQUE INDEX our_rows_by_path ON our_rows (folder, path);
CREATE INDEX our_rows_by_sequence ON our_rows (folder, sequence);
CREATE INDEX our_rows_by_content ON our_rows (folder, hash) WHERE hash IS NOT NULL;

-- What peers say, all peers of a path side by side.
CREATE TABLE peer_rows (
    folder INTEGER NOT NULL REFERENCES folders,
    path TEXT NOT NULL,
    device INTEGER NOT NULL REFERENCES devices,
    version BLOB NOT NULL,
    author_actor INTEGER NOT NULL REFERENCES actors,
    author_counter INTEGER NOT NULL,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 3),
    size INTEGER,
    hash BLOB,
    executable INTEGER,
    target TEXT,
    mtime INTEGER NOT NULL,
    PRIMARY KEY (folder, path, device)
) STRICT, WITHOUT ROWID;

-- How far we have each peer's index.
CREATE TABLE positions (
    folder INTEGER NOT NULL REFERENCES folders,
    device INTEGER NOT NULL REFERENCES devices,
    incarnation INTEGER NOT NULL,
    up_to INTEGER NOT NULL,
    PRIMARY KEY (folder, device)
) STRICT, WITHOUT ROWID;

-- Paths where a peer's row may differ from ours.
CREATE TABLE needs (
    folder INTEGER NOT NULL REFERENCES folders,
    path TEXT NOT NULL,
    PRIMARY KEY (folder, path)
) STRICT, WITHOUT ROWID;
