-- Frozen. A change of the schema is a new file beside this one.

-- Paths with a copy in the conflict inbox. No older store has one: those paths were refused.
ALTER TABLE folders ADD COLUMN conflicts INTEGER NOT NULL DEFAULT 0;
