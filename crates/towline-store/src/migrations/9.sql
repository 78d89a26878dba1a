-- Frozen. A change of the schema is a new file beside this one.

-- Where a person says that a peer is: lines of host and port. Nobody has said anything in an older store.
ALTER TABLE peers ADD COLUMN places TEXT NOT NULL DEFAULT '';
