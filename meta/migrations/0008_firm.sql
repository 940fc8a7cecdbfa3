-- How much of a version that waits in staging was on the disk already when its row was written: after a power loss that much must be there.
ALTER TABLE versions ADD COLUMN firm INTEGER NOT NULL DEFAULT 0;
