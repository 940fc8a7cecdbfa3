package meta

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// tempSchema makes the scratch tables of the writer, which live in memory.
const tempSchema = `CREATE TEMP TABLE doomed (ino INTEGER PRIMARY KEY, links INTEGER NOT NULL);
	CREATE TEMP TABLE doomed_dirs (ino INTEGER PRIMARY KEY);
	CREATE TEMP TABLE copied (id INTEGER PRIMARY KEY, old INTEGER NOT NULL, parent INTEGER NOT NULL, h INTEGER NOT NULL, name BLOB NOT NULL);
	CREATE TEMP TABLE copied_dirs (old INTEGER PRIMARY KEY, new INTEGER NOT NULL)`

// migrate runs every migration whose number is above the schema's, each in its own transaction.
func migrate(c *conn, path string) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	text, err := c.pragma("user_version")
	if err != nil {
		return fmt.Errorf("meta: read schema of %s: %w", path, err)
	}
	have, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	if have > len(names) {
		return fmt.Errorf("meta: %s has schema %d, this program knows up to %d: use a newer one", path, have, len(names))
	}
	for n := have + 1; n <= len(names); n++ {
		if err := migrateTo(c, names[n-1], n); err != nil {
			return fmt.Errorf("meta: migrate %s with %s: %w", path, names[n-1], err)
		}
	}
	return nil
}

// migrateTo runs migration number n, whose file name must begin with it.
func migrateTo(c *conn, name string, n int) error {
	if !strings.HasPrefix(name, fmt.Sprintf("migrations/%04d_", n)) {
		return fmt.Errorf("want number %d", n)
	}
	text, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	err = c.script("BEGIN IMMEDIATE;\n" + string(text) + "\nPRAGMA user_version=" + strconv.Itoa(n) + ";\nCOMMIT")
	if err != nil && !c.raw.AutoCommit() {
		return errors.Join(err, c.run("ROLLBACK"))
	}
	return err
}
