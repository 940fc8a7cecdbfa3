package meta

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/mattn/go-sqlite3"
)

// conn is one SQLite connection with its prepared statements, keyed by their text. It talks to the driver without
// database/sql, whose pool, locks and reflection cost as much as a lookup itself. One goroutine at a time.
//
// SQLite prepares a statement again whenever an argument is bound that its planner took as a hint, which costs ten
// times the search. That does not happen where the arguments give the whole key of one table; everywhere else the
// statements say "= +?", which hides the argument from the planner but still uses the index.
type conn struct {
	raw   *sqlite3.SQLiteConn
	stmts map[string]*stmt
	args  []driver.NamedValue // scratch: the driver copies arguments before it returns
	rec   *recorder           // of the operation that runs, nil when it need not be done again
}

// stmt is a prepared statement and room for one of its rows. It must not be used again while its rows are read.
type stmt struct {
	raw   *sqlite3.SQLiteStmt
	row   row
	reads bool // changes nothing
}

// row holds the columns of one row until its statement runs again.
type row []driver.Value

// int returns 0 for NULL, like the other getters return their zero values.
func (r row) int(i int) int64 {
	v, _ := r[i].(int64)
	return v
}

func (r row) bool(i int) bool { return r.int(i) != 0 }

// text takes blobs as well: names are stored as bytes, because they need not be UTF-8.
func (r row) text(i int) string {
	switch v := r[i].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

// bytes returns a blob that the caller may keep: the driver made a copy.
func (r row) bytes(i int) []byte {
	v, _ := r[i].([]byte)
	return v
}

// pragma is a setting and the value that must be read back.
type pragma struct{ name, value string }

// openConn connects to path, sets every pragma and reads it back: none is assumed.
func openConn(path string, readOnly bool, pragmas []pragma) (*conn, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	mode := "rw"
	if readOnly {
		mode = "ro"
	}
	// _mutex=no: each connection has one user at a time, SQLite need not lock it again.
	dsn := (&url.URL{Scheme: "file", Path: abs, RawQuery: "_mutex=no&mode=" + mode}).String()
	raw, err := (&sqlite3.SQLiteDriver{}).Open(dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	c := &conn{raw: raw.(*sqlite3.SQLiteConn), stmts: map[string]*stmt{}}
	for _, p := range pragmas {
		if err := c.setPragma(p); err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), c.close())
		}
	}
	return c, nil
}

// setPragma fails when SQLite ignores a value, which it does without a word.
func (c *conn) setPragma(p pragma) error {
	if err := c.script("PRAGMA " + p.name + "=" + p.value); err != nil {
		return fmt.Errorf("pragma %s: %w", p.name, err)
	}
	got, err := c.pragma(p.name)
	if err != nil {
		return fmt.Errorf("pragma %s: %w", p.name, err)
	}
	if got != p.value {
		return fmt.Errorf("pragma %s is %q, want %q", p.name, got, p.value)
	}
	return nil
}

func (c *conn) pragma(name string) (string, error) {
	r, _, err := c.one("PRAGMA " + name)
	if err != nil || len(r) == 0 {
		return "", err
	}
	if n, ok := r[0].(int64); ok {
		return strconv.FormatInt(n, 10), nil
	}
	return r.text(0), nil
}

// script runs statements without arguments and without results.
func (c *conn) script(text string) error {
	_, err := c.raw.ExecContext(context.Background(), text, nil)
	return err
}

// run runs one statement and drops its rows.
func (c *conn) run(text string, args ...any) error {
	_, rows, err := c.start(text, args)
	if err != nil {
		return err
	}
	return rows.Close()
}

// changed runs one statement and says how many rows it changed.
func (c *conn) changed(text string, args ...any) (int64, error) {
	s, err := c.prepare(text)
	if err != nil {
		return 0, err
	}
	res, err := s.raw.ExecContext(context.Background(), c.bind(args))
	if err != nil {
		return 0, err
	}
	c.record(s, text, args)
	return res.RowsAffected()
}

// one returns the first row, or false. The row is good until the same statement runs again.
func (c *conn) one(text string, args ...any) (row, bool, error) {
	s, rows, err := c.start(text, args)
	if err != nil {
		return nil, false, err
	}
	err = rows.Next(s.row)
	cerr := rows.Close()
	if err == io.EOF {
		return nil, false, cerr
	}
	return s.row, err == nil, errors.Join(err, cerr)
}

// errStop ends each early, without an error.
var errStop = errors.New("stop")

// each calls fn for every row. fn must not use the same statement.
func (c *conn) each(fn func(row) error, text string, args ...any) (err error) {
	s, rows, err := c.start(text, args)
	if err != nil {
		return err
	}
	defer func() { // also when fn panics: a cursor that stays open keeps the log from starting again
		if cerr := rows.Close(); err == nil {
			err = cerr
		}
	}()
	for err == nil {
		if err = rows.Next(s.row); err == nil {
			err = fn(s.row)
		}
	}
	if err == io.EOF || err == errStop {
		err = nil
	}
	return err
}

// start binds the arguments and takes the first step. Query is used for statements without rows too: the driver
// does bind and step in one call into C for it, and one call for every argument otherwise.
func (c *conn) start(text string, args []any) (*stmt, driver.Rows, error) {
	s, err := c.prepare(text)
	if err != nil {
		return nil, nil, err
	}
	rows, err := s.raw.QueryContext(context.Background(), c.bind(args))
	if err != nil {
		return nil, nil, err
	}
	if s.row == nil {
		s.row = make(row, len(rows.Columns()))
	}
	c.record(s, text, args)
	return s, rows, nil
}

// prepare keeps every statement for the life of the connection. Their texts are constants, so there are not many.
func (c *conn) prepare(text string) (*stmt, error) {
	if s := c.stmts[text]; s != nil {
		return s, nil
	}
	raw, err := c.raw.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", text, err)
	}
	s := &stmt{raw: raw.(*sqlite3.SQLiteStmt)}
	s.reads = s.raw.Readonly()
	c.stmts[text] = s
	return s, nil
}

// recorder keeps what an operation changed, so that it can be done again.
type recorder struct {
	statements []statement
	buf        []byte // of their arguments
}

func (r *recorder) reset() { r.statements, r.buf = r.statements[:0], r.buf[:0] }

// record keeps a statement that changed something.
func (c *conn) record(s *stmt, text string, args []any) {
	if c.rec == nil || s.reads {
		return
	}
	start := len(c.rec.buf)
	c.rec.buf = encodeArgs(c.rec.buf, args)
	c.rec.statements = append(c.rec.statements, statement{text: text, args: c.rec.buf[start:]})
}

// bind converts arguments to the driver's types. The result is good until the next call.
func (c *conn) bind(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: value(a)})
	}
	return c.args
}

// value makes the driver's types of ours; it would refuse others.
func value(a any) driver.Value {
	switch v := a.(type) {
	case Ino:
		return int64(v)
	case State:
		return int64(v)
	case int:
		return int64(v)
	case uint32:
		return int64(v)
	case uint64:
		return int64(v)
	}
	return a
}

// close finalizes the statements first: SQLite does not close a connection that has some.
func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.raw.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}
