-- Frozen. A change of the schema is a new file beside this one.

-- The number of the ignore rules under which the list of needs was made; 0 for none.
ALTER TABLE folders ADD COLUMN needs_under INTEGER NOT NULL DEFAULT 0;
