-- Frozen. A change of the schema is a new file beside this one.

-- The writes from which a file's bytes come: blobs of (actor number, first, last), NULL where there are none.
ALTER TABLE our_rows ADD COLUMN descent BLOB;
ALTER TABLE peer_rows ADD COLUMN descent BLOB;

-- Files that a person took away, so that they are known again under another name. Ids grow, so the
-- oldest are the least; REPLACE makes a row the youngest. went: the day, in days since 1970.
CREATE TABLE departures (
    id INTEGER PRIMARY KEY,
    folder INTEGER NOT NULL REFERENCES folders,
    path TEXT NOT NULL,
    author_actor INTEGER NOT NULL REFERENCES actors,
    author_counter INTEGER NOT NULL,
    hash BLOB NOT NULL,
    file_id INTEGER NOT NULL,
    mtime INTEGER NOT NULL,
    followed INTEGER NOT NULL,
    went INTEGER NOT NULL,
    UNIQUE (folder, path)
) STRICT;
CREATE INDEX departures_by_day ON departures (went);
