-- Frozen. A change of the schema is a new file beside this one.

-- When each device was last met in each folder, to the day: days since 1970. presence: 0 steady, 1 back
-- from a long absence. Who was met before this table was there counts as met when it is met next.
CREATE TABLE contacts (
    folder INTEGER NOT NULL REFERENCES folders,
    device INTEGER NOT NULL REFERENCES devices,
    presence INTEGER NOT NULL CHECK (presence BETWEEN 0 AND 1),
    met INTEGER NOT NULL,
    PRIMARY KEY (folder, device)
) STRICT, WITHOUT ROWID;
