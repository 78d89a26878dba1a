-- Frozen. A change of the schema is a new file beside this one.

-- From which change time on a power cut has put files in doubt; NULL for none.
ALTER TABLE folders ADD COLUMN doubt INTEGER;

-- Whether the disk has lost what a row tells of. Such a row gives way, so its reach is 3, and with this
-- it is 4 to whoever reads it.
ALTER TABLE our_rows ADD COLUMN spoiled INTEGER NOT NULL DEFAULT 0 CHECK (spoiled IN (0, 1));

-- Which boot of the machine the store was last used in; empty for one that nobody knows.
ALTER TABLE device ADD COLUMN boot TEXT NOT NULL DEFAULT '';
