-- Managed objects that are no files. Their numbers, and those of events, come from the counter of nodes: an id means one thing only.
CREATE TABLE managed (
	id      INTEGER PRIMARY KEY,
	tenant  TEXT NOT NULL,
	owner   TEXT NOT NULL,
	type    TEXT NOT NULL,
	name    TEXT NOT NULL,
	doc     TEXT NOT NULL, -- JSON object of the other members
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL
);
CREATE INDEX managed_tenant ON managed(tenant);
CREATE INDEX managed_owner ON managed(tenant, owner);
CREATE INDEX managed_type ON managed(tenant, type);

-- Parents and children are managed objects or files. Rows of those that went are left: numbers are never used twice.
CREATE TABLE children (
	parent INTEGER NOT NULL,
	kind   INTEGER NOT NULL, -- 1 addition, 2 asset, 3 device
	child  INTEGER NOT NULL,
	tenant TEXT NOT NULL,
	PRIMARY KEY (parent, kind, child)
) WITHOUT ROWID;
CREATE INDEX children_child ON children(child, kind);
CREATE INDEX children_tenant ON children(tenant);

CREATE TABLE events (
	id      INTEGER PRIMARY KEY,
	tenant  TEXT NOT NULL,
	source  INTEGER NOT NULL,
	type    TEXT NOT NULL,
	time    INTEGER NOT NULL,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	doc     TEXT NOT NULL -- JSON object of the other members
);
CREATE INDEX events_time ON events(tenant, time);
CREATE INDEX events_type ON events(tenant, type, time);
CREATE INDEX events_source ON events(source, time);

-- An attachment that arrives in pieces. Its bytes so far are in a file outside of the tree.
CREATE TABLE partials (
	event    INTEGER PRIMARY KEY REFERENCES events(id) ON DELETE CASCADE,
	received INTEGER NOT NULL,
	length   INTEGER NOT NULL, -- announced, -1 while it is not
	range    TEXT NOT NULL,    -- of the newest piece, as it was announced
	name     TEXT NOT NULL,
	type     TEXT NOT NULL,
	owner    TEXT NOT NULL,
	updated  INTEGER NOT NULL
);
CREATE INDEX partials_updated ON partials(updated);

-- A complete attachment is a file with the number of its event among its properties.
CREATE INDEX props_event ON props(value) WHERE space = 'c8y' AND name = '_event';

-- Who logged in for a while. A token is known by its hash, and ends with the password it was got for.
CREATE TABLE tokens (
	hash    BLOB PRIMARY KEY,
	tenant  TEXT NOT NULL,
	name    TEXT NOT NULL,
	expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tokens_user ON tokens(tenant, name, expires);
CREATE INDEX tokens_expires ON tokens(expires);
CREATE TRIGGER users_changed AFTER UPDATE OF hash ON users WHEN new.hash <> old.hash BEGIN
	DELETE FROM tokens WHERE tenant = old.tenant AND name = old.name;
END;
CREATE TRIGGER users_deleted AFTER DELETE ON users BEGIN
	DELETE FROM tokens WHERE tenant = old.tenant AND name = old.name;
END;

-- What belongs to a tenant without being a node.
CREATE TRIGGER tenants_deleted AFTER DELETE ON tenants BEGIN
	DELETE FROM users WHERE tenant = old.name;
	DELETE FROM bso WHERE tenant = old.name;
	DELETE FROM managed WHERE tenant = old.name;
	DELETE FROM children WHERE tenant = old.name;
	DELETE FROM events WHERE tenant = old.name;
END;
