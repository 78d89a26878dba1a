-- Frozen. A change of the schema is a new file beside this one.

-- What people have set, as JSON: an absent field has its default, so a new setting needs no migration.
ALTER TABLE device ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE folders ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

-- Who is told of a row of ours: 0 everyone, 1 nobody (changed here), 2 nobody (new here), 3 nobody, it
-- gives way. Those that are only here are few, and asked for by path.
ALTER TABLE our_rows ADD COLUMN reach INTEGER NOT NULL DEFAULT 0 CHECK (reach BETWEEN 0 AND 3);
CREATE INDEX our_rows_local ON our_rows (folder, path) WHERE reach <> 0;
ALTER TABLE folders ADD COLUMN local_changes INTEGER NOT NULL DEFAULT 0;

-- The mass change brake, by whoever takes away. braking: 0 counting, 1 engaged, 2 released.
CREATE TABLE brakes (
    folder INTEGER NOT NULL REFERENCES folders,
    device INTEGER NOT NULL REFERENCES devices,
    braking INTEGER NOT NULL CHECK (braking BETWEEN 0 AND 2),
    carried INTEGER NOT NULL,
    PRIMARY KEY (folder, device)
) STRICT, WITHOUT ROWID;
