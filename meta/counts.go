package meta

import "syscall"

// counts are what a tenant holds, or what a transaction adds to it.
type counts struct {
	tenant int64
	files  int64 // nodes with a name
	plain  int64 // regular files among them
	bytes  int64 // of those
}

// countEvery is the number of changes whose counts wait to be added to their tenants. Whoever wants the sum reads as
// many rows at the end of the change feed.
const countEvery = 64

// summed reads the counts of tenants with those that wait. It wants to be grouped by t.id.
const summed = `t.files + coalesce(sum(c.files), 0) files, t.plain + coalesce(sum(c.plain), 0) plain,
	t.bytes + coalesce(sum(c.bytes), 0) bytes FROM tenants t LEFT JOIN changes c
	ON c.tenant = t.id AND c.seq > (SELECT value FROM counters WHERE name = 'counted')`

// counts returns what a tenant holds, or ENOENT.
func (c *conn) counts(tenant int64) (counts, error) {
	r, ok, err := c.one("SELECT "+summed+" WHERE t.id = +? GROUP BY t.id", tenant)
	if err == nil && !ok {
		err = syscall.ENOENT
	}
	if err != nil {
		return counts{}, err
	}
	return counts{tenant: tenant, files: r.int(0), plain: r.int(1), bytes: r.int(2)}, nil
}

// count adds to a tenant's counts. The next change of the transaction takes them along, or its end writes them.
func (t *tx) count(n counts) error {
	if n.tenant != t.counted.tenant {
		if err := t.writeCounts(); err != nil {
			return err
		}
		t.counted.tenant = n.tenant
	}
	t.counted.files += n.files
	t.counted.plain += n.plain
	t.counted.bytes += n.bytes
	return nil
}

// countNode adds a node that got its first name (sign 1) or lost its last one (sign -1).
func (t *tx) countNode(a Attr, sign int64) error {
	if !a.IsRegular() {
		return t.count(counts{tenant: a.Tenant, files: sign})
	}
	return t.count(counts{tenant: a.Tenant, files: sign, plain: sign, bytes: sign * a.Size})
}

// writeCounts adds to the tenant what no change has taken along.
func (t *tx) writeCounts() error {
	n := t.counted
	t.counted = counts{}
	if n == (counts{tenant: n.tenant}) {
		return nil
	}
	return t.run("UPDATE tenants SET files = files + ?, plain = plain + ?, bytes = bytes + ? WHERE id = ?",
		n.files, n.plain, n.bytes, n.tenant)
}

// takeCounts moves the counts of all changes to their tenants.
func (t *tx) takeCounts() error {
	err := t.run(`UPDATE tenants SET files = tenants.files + s.files, plain = tenants.plain + s.plain,
		bytes = tenants.bytes + s.bytes FROM (SELECT tenant, sum(files) files, sum(plain) plain, sum(bytes) bytes
		FROM changes WHERE seq > (SELECT value FROM counters WHERE name = 'counted') GROUP BY tenant) s
		WHERE tenants.id = s.tenant`)
	if err != nil {
		return err
	}
	t.changes = 0
	return t.run("UPDATE counters SET value = coalesce((SELECT max(seq) FROM changes), 0) WHERE name = 'counted'")
}
