CREATE TABLE tenants (
	id    INTEGER PRIMARY KEY,
	name  TEXT NOT NULL UNIQUE,
	root  INTEGER NOT NULL,
	files INTEGER NOT NULL DEFAULT 0, -- nodes with a name; the newest changes come on top, see changes
	plain INTEGER NOT NULL DEFAULT 0, -- regular files among them
	bytes INTEGER NOT NULL DEFAULT 0  -- sum of the sizes of those
);

-- The highest number handed out of each kind, counted in blocks; and the last change that tenants have counted.
CREATE TABLE counters (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('ino', 1), ('version', 0), ('counted', 0);

CREATE TABLE nodes (
	ino     INTEGER PRIMARY KEY,
	tenant  INTEGER NOT NULL REFERENCES tenants(id),
	parent  INTEGER NOT NULL,
	h       INTEGER NOT NULL, -- of its newest name, which is in parent: finds the name without an index
	mode    INTEGER NOT NULL,
	nlink   INTEGER NOT NULL,
	uid     INTEGER NOT NULL,
	gid     INTEGER NOT NULL,
	rdev    INTEGER NOT NULL,
	size    INTEGER NOT NULL,
	atime   INTEGER NOT NULL,
	mtime   INTEGER NOT NULL,
	ctime   INTEGER NOT NULL,
	btime   INTEGER NOT NULL,
	version INTEGER NOT NULL,
	target  BLOB -- of a symlink
);
CREATE INDEX nodes_orphan ON nodes(ino) WHERE nlink = 0;

-- h is a hash of the name: one b-tree finds a name and lists a directory in an order that does not change when
-- other names come and go.
CREATE TABLE entries (
	parent INTEGER NOT NULL,
	h      INTEGER NOT NULL,
	name   BLOB NOT NULL,
	ino    INTEGER NOT NULL,
	kind   INTEGER NOT NULL, -- 2 of a directory, 1 in all entries of a file with several, else 0
	PRIMARY KEY (parent, h, name)
) WITHOUT ROWID;
-- A node with one entry is found by its place, nodes(parent, h): an index of them all would cost more than the rest.
CREATE INDEX entries_multi ON entries(ino) WHERE kind = 1;

-- kh and gh are places of the key and the GUID in an index of numbers: one of texts would cost more than the rest of
-- the row. Most keys hold their version's GUID and have its place; gh is 0 for these. What is not gone is the current
-- version of its node, which finds it.
CREATE TABLE versions (
	id      INTEGER PRIMARY KEY,
	ino     INTEGER NOT NULL,
	state   INTEGER NOT NULL, -- 1 staged, 2 stored, 3 redo, 4 gone
	size    INTEGER NOT NULL,
	created INTEGER NOT NULL,
	synced  INTEGER NOT NULL,
	kh      INTEGER NOT NULL,
	gh      INTEGER NOT NULL,
	guid    TEXT NOT NULL,
	key     TEXT NOT NULL,
	staging TEXT NOT NULL,
	sum     TEXT NOT NULL,
	md5     TEXT NOT NULL
);
CREATE INDEX versions_gone ON versions(ino) WHERE state = 4;
CREATE INDEX versions_key ON versions(kh) WHERE kh <> 0;
CREATE INDEX versions_guid ON versions(gh) WHERE gh <> 0;
CREATE INDEX versions_pending ON versions(state) WHERE state IN (1, 3);
CREATE INDEX versions_unsummed ON versions(id) WHERE state = 2 AND sum = '';

CREATE TABLE redos (
	version  INTEGER PRIMARY KEY,
	base_key TEXT NOT NULL,
	ranges   BLOB
);
CREATE INDEX redos_base ON redos(base_key);

-- Two keys with one hash are not worth a second index: the later one is not recorded, and its object is found by gc.
CREATE TABLE intents (
	kh  INTEGER PRIMARY KEY,
	due INTEGER NOT NULL,
	key TEXT NOT NULL
);
CREATE INDEX intents_due ON intents(due);

CREATE TABLE uploads (
	id      TEXT PRIMARY KEY,
	key     TEXT NOT NULL,
	ino     INTEGER NOT NULL,
	started INTEGER NOT NULL,
	done    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE xattrs (
	ino   INTEGER NOT NULL,
	name  TEXT NOT NULL,
	value BLOB NOT NULL,
	PRIMARY KEY (ino, name)
) WITHOUT ROWID;

CREATE TABLE props (
	ino   INTEGER NOT NULL,
	space TEXT NOT NULL,
	name  TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (ino, space, name)
) WITHOUT ROWID;
CREATE INDEX props_value ON props(name, value) WHERE space = '';

CREATE TABLE users (
	tenant  TEXT NOT NULL,
	name    TEXT NOT NULL,
	hash    TEXT NOT NULL,
	roles   TEXT NOT NULL, -- JSON array
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	PRIMARY KEY (tenant, name)
) WITHOUT ROWID;

CREATE TABLE locks (
	token    TEXT PRIMARY KEY,
	tenant   INTEGER NOT NULL REFERENCES tenants(id),
	path     BLOB NOT NULL,
	infinite INTEGER NOT NULL,
	shared   INTEGER NOT NULL,
	owner    TEXT NOT NULL,
	user     TEXT NOT NULL,
	expires  INTEGER NOT NULL, -- 0: never
	created  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX locks_tenant ON locks(tenant);

-- The counts are what a change adds to its tenant. They are moved there for many changes at once, because writing the
-- tenant's page with each would cost a fifth of the log.
CREATE TABLE changes (
	seq    INTEGER PRIMARY KEY, -- grows: trimming always leaves the newest row
	time   INTEGER NOT NULL,
	op     INTEGER NOT NULL,
	ino    INTEGER NOT NULL,
	parent INTEGER NOT NULL,
	name   BLOB NOT NULL,
	origin TEXT NOT NULL,
	tenant INTEGER NOT NULL,
	files  INTEGER NOT NULL,
	plain  INTEGER NOT NULL,
	bytes  INTEGER NOT NULL
);

CREATE TABLE bso (
	tenant     TEXT NOT NULL,
	id         TEXT NOT NULL,
	type       TEXT NOT NULL,
	object_key TEXT NOT NULL,
	ino        INTEGER, -- null while no bytes were uploaded
	doc        BLOB NOT NULL,
	created    INTEGER NOT NULL,
	modified   INTEGER NOT NULL,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE INDEX bso_key ON bso(tenant, object_key);
CREATE INDEX bso_ino ON bso(ino) WHERE ino IS NOT NULL;

CREATE TABLE settings (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID;
