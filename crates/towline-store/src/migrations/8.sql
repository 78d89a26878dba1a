-- Frozen. A change of the schema is a new file beside this one.

-- Extended attributes of files: pairs of name and value, or none. No older store has any.
ALTER TABLE our_rows ADD COLUMN attributes BLOB;
ALTER TABLE peer_rows ADD COLUMN attributes BLOB;

-- What the disk has shown of them with the stamp: 0 nothing, 1 those of the row, 2 that it keeps none.
ALTER TABLE our_rows ADD COLUMN beside INTEGER NOT NULL DEFAULT 0 CHECK (beside BETWEEN 0 AND 2);
