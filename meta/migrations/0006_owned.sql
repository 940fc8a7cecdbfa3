-- How many regular files with a name each value of the property user has: lists of somebody's own files tell how many there are without looking at
-- all of them. Triggers keep it, because names come and go in many places.
CREATE TABLE owned (
	tenant INTEGER NOT NULL,
	owner  TEXT NOT NULL, -- the value as it is kept
	files  INTEGER NOT NULL,
	PRIMARY KEY (tenant, owner)
) WITHOUT ROWID;
INSERT INTO owned (tenant, owner, files)
	SELECT n.tenant, p.value, count(*) FROM props p CROSS JOIN nodes n ON n.ino = p.ino
	WHERE p.space = '' AND p.name = 'user' AND n.nlink > 0 AND n.mode & 61440 = 32768 GROUP BY n.tenant, p.value;

CREATE TRIGGER owned_props_insert AFTER INSERT ON props WHEN new.space = '' AND new.name = 'user' BEGIN
	INSERT INTO owned (tenant, owner, files)
		SELECT tenant, new.value, 1 FROM nodes WHERE ino = new.ino AND nlink > 0 AND mode & 61440 = 32768
		ON CONFLICT DO UPDATE SET files = files + 1;
END;
CREATE TRIGGER owned_props_update AFTER UPDATE OF value ON props
WHEN new.space = '' AND new.name = 'user' AND new.value <> old.value BEGIN
	UPDATE owned SET files = files - 1 WHERE owner = old.value
		AND tenant = (SELECT tenant FROM nodes WHERE ino = old.ino AND nlink > 0 AND mode & 61440 = 32768);
	DELETE FROM owned WHERE owner = old.value AND tenant = (SELECT tenant FROM nodes WHERE ino = old.ino) AND files = 0;
	INSERT INTO owned (tenant, owner, files)
		SELECT tenant, new.value, 1 FROM nodes WHERE ino = new.ino AND nlink > 0 AND mode & 61440 = 32768
		ON CONFLICT DO UPDATE SET files = files + 1;
END;
CREATE TRIGGER owned_props_delete AFTER DELETE ON props WHEN old.space = '' AND old.name = 'user' BEGIN
	UPDATE owned SET files = files - 1 WHERE owner = old.value
		AND tenant = (SELECT tenant FROM nodes WHERE ino = old.ino AND nlink > 0 AND mode & 61440 = 32768);
	DELETE FROM owned WHERE owner = old.value AND tenant = (SELECT tenant FROM nodes WHERE ino = old.ino) AND files = 0;
END;
CREATE TRIGGER owned_nodes_named AFTER UPDATE OF nlink ON nodes
WHEN old.nlink = 0 AND new.nlink > 0 AND new.mode & 61440 = 32768 BEGIN
	INSERT INTO owned (tenant, owner, files)
		SELECT new.tenant, value, 1 FROM props WHERE ino = new.ino AND space = '' AND name = 'user'
		ON CONFLICT DO UPDATE SET files = files + 1;
END;
CREATE TRIGGER owned_nodes_unnamed AFTER UPDATE OF nlink ON nodes
WHEN old.nlink > 0 AND new.nlink = 0 AND old.mode & 61440 = 32768 BEGIN
	UPDATE owned SET files = files - 1 WHERE tenant = old.tenant
		AND owner = (SELECT value FROM props WHERE ino = old.ino AND space = '' AND name = 'user');
	DELETE FROM owned WHERE tenant = old.tenant
		AND owner = (SELECT value FROM props WHERE ino = old.ino AND space = '' AND name = 'user') AND files = 0;
END;
CREATE TRIGGER owned_nodes_delete AFTER DELETE ON nodes WHEN old.nlink > 0 AND old.mode & 61440 = 32768 BEGIN
	UPDATE owned SET files = files - 1 WHERE tenant = old.tenant
		AND owner = (SELECT value FROM props WHERE ino = old.ino AND space = '' AND name = 'user');
	DELETE FROM owned WHERE tenant = old.tenant
		AND owner = (SELECT value FROM props WHERE ino = old.ino AND space = '' AND name = 'user') AND files = 0;
END;
