-- Frozen. A change of the schema is a new file beside this one.

-- What people have set, as JSON: an absent field has its default, so a new setting needs no migration.
ALTER TABLE device ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE folders ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
