-- Programs that act for people over the binary stream object service.
CREATE TABLE clients (
	tenant   TEXT NOT NULL,
	id       TEXT NOT NULL,
	hash     TEXT NOT NULL, -- of the secret
	auth_key BLOB NOT NULL, -- signs requests of the older form, so it can't be a hash; empty for most
	roles    TEXT NOT NULL, -- JSON array
	created  INTEGER NOT NULL,
	updated  INTEGER NOT NULL,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

-- A tenant without a row has chosen nothing.
CREATE TABLE tenant_options (
	tenant TEXT PRIMARY KEY,
	doc    TEXT NOT NULL -- JSON object
) WITHOUT ROWID;

CREATE TRIGGER tenants_deleted_clients AFTER DELETE ON tenants BEGIN
	DELETE FROM clients WHERE tenant = old.name;
	DELETE FROM tenant_options WHERE tenant = old.name;
END;
