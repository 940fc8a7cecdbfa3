-- The locks on a path, above it and below it are found without looking at all locks of the tenant.
CREATE INDEX locks_path ON locks(tenant, path);
DROP INDEX locks_tenant;
