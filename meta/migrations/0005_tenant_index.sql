-- The files of a small tenant are found without looking at those of a large one.
CREATE INDEX nodes_tenant ON nodes(tenant);
