-- What is known of the objects of a store that is not local. A row goes with its version: when that is replaced, nobody
-- reads the object any more who has not read the row before.
CREATE TABLE objects (
	version INTEGER PRIMARY KEY,
	etag    TEXT NOT NULL,
	blocks  BLOB, -- CRC-32C of each MiB
	sums    BLOB  -- CRC-64/NVME of each MiB
);
CREATE TRIGGER objects_replaced AFTER UPDATE OF state ON versions WHEN new.state = 4 BEGIN
	DELETE FROM objects WHERE version = old.id;
END;
CREATE TRIGGER objects_deleted AFTER DELETE ON versions BEGIN
	DELETE FROM objects WHERE version = old.id;
END;
