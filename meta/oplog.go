package meta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/mattn/go-sqlite3"
)

// opLog is a file with the statements of the operations in the open transaction. It is written without a flush: it is there for the death of the
// process, and after a power loss it is either the right continuation of the database, as far as it is whole, or recognised as another's.
//
// The file holds the operations of one transaction, an epoch, from its beginning:
//
//	crc of the rest (4 bytes)  length of the body (4)  epoch (8)  body: statements
//
// The first record with another epoch or a wrong crc ends it. The database knows the epoch it has committed last; a log of the next one has
// to be replayed, any other is history or, after a power loss, of a future that is gone. The file never outgrows gatherBytes. Numbers are little
// endian.
type opLog struct {
	file  *os.File
	epoch int64
	buf   []byte         // the records of the epoch, as in the file
	texts map[string]int // numbers of the statements' texts in the epoch
	fresh []string       // texts that the record in work has brought, to take back when it fails
}

const opHeader = 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openOpLog opens the file for the next epoch. Its space is allocated at once, so that no later write needs any.
func openOpLog(path string, epoch int64) (*opLog, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("meta: open the operation log: %w", err)
	}
	_, err = f.WriteAt(make([]byte, gatherBytes), 0)
	if err == nil {
		err = f.Truncate(gatherBytes)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("meta: make the operation log %s: %w", path, err), f.Close())
	}
	return &opLog{file: f, epoch: epoch, texts: map[string]int{}}, nil
}

// next begins the log of the next transaction.
func (l *opLog) next() {
	l.epoch++
	l.buf = l.buf[:0]
	clear(l.texts)
}

// fits tells whether there is room for the statements of one more operation.
func (l *opLog) fits(list []statement) bool {
	n := len(l.buf) + opHeader
	for _, s := range list {
		n += len(s.text) + len(s.args) + 2*binary.MaxVarintLen64
	}
	return n <= gatherBytes
}

// records are the bodies of the epoch's records.
func (l *opLog) records() [][]byte { return splitRecords(l.buf, l.epoch) }

// append adds the statements of one operation.
func (l *opLog) append(list []statement) error {
	start := len(l.buf)
	l.fresh = l.fresh[:0]
	l.buf = append(l.buf, make([]byte, opHeader)...)
	for _, s := range list {
		l.add(s)
	}
	rec := l.buf[start:]
	binary.LittleEndian.PutUint32(rec[4:], uint32(len(rec)-opHeader))
	binary.LittleEndian.PutUint64(rec[8:], uint64(l.epoch))
	binary.LittleEndian.PutUint32(rec, crc32.Checksum(rec[4:], castagnoli))
	_, err := l.file.WriteAt(rec, int64(start))
	if err != nil {
		l.buf = l.buf[:start]
		for _, text := range l.fresh {
			delete(l.texts, text)
		}
	}
	return err
}

// add encodes one statement: the number of its text, the text when it is new, its arguments.
func (l *opLog) add(s statement) {
	n, known := l.texts[s.text]
	if !known {
		n = len(l.texts)
		l.texts[s.text] = n
		l.fresh = append(l.fresh, s.text)
	}
	l.buf = binary.AppendUvarint(l.buf, uint64(n))
	if !known {
		l.buf = appendBytes(l.buf, s.text)
	}
	l.buf = append(l.buf, s.args...)
}

// close removes the file's content when all of it has been committed: a database that was closed needs no log.
func (l *opLog) close() error {
	var err error
	if len(l.buf) == 0 {
		err = l.file.Truncate(0)
	}
	return errors.Join(err, l.file.Close())
}

// splitRecords finds the bodies of the whole records of an epoch at the beginning of data.
func splitRecords(data []byte, epoch int64) (bodies [][]byte) {
	for len(data) >= opHeader {
		n := int64(binary.LittleEndian.Uint32(data[4:]))
		if n > int64(len(data))-opHeader || int64(binary.LittleEndian.Uint64(data[8:])) != epoch {
			break
		}
		if crc32.Checksum(data[4:opHeader+n], castagnoli) != binary.LittleEndian.Uint32(data) {
			break
		}
		bodies = append(bodies, data[opHeader:opHeader+n])
		data = data[opHeader+n:]
	}
	return bodies
}

// statement is a statement that changes the database, with its encoded arguments.
type statement struct {
	text string
	args []byte
}

// The kinds of arguments.
const (
	argNull = iota
	argInt
	argText
	argBlob
)

// encodeArgs makes the bytes of a statement's arguments: their number, then kind and value of each.
func encodeArgs(b []byte, args []any) []byte {
	b = binary.AppendUvarint(b, uint64(len(args)))
	for _, a := range args {
		switch v := value(a).(type) {
		case nil:
			b = append(b, argNull)
		case int64:
			b = binary.AppendVarint(append(b, argInt), v)
		case bool:
			b = binary.AppendVarint(append(b, argInt), int64(btoi(v)))
		case string:
			b = appendBytes(append(b, argText), v)
		case []byte:
			if v == nil {
				b = append(b, argNull)
				break
			}
			b = appendBytes(append(b, argBlob), v)
		default:
			panic(fmt.Sprintf("meta: an argument of type %T", a))
		}
	}
	return b
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func appendBytes[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// errOps is a record that is whole but makes no sense.
var errOps = errors.New("the record can't be read")

// opReader takes a body apart.
type opReader struct {
	b   []byte
	err error
}

func (r *opReader) uvarint() uint64 {
	n, used := binary.Uvarint(r.b)
	if used <= 0 {
		r.err, r.b = errOps, nil
		return 0
	}
	r.b = r.b[used:]
	return n
}

func (r *opReader) varint() int64 {
	n, used := binary.Varint(r.b)
	if used <= 0 {
		r.err, r.b = errOps, nil
		return 0
	}
	r.b = r.b[used:]
	return n
}

func (r *opReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.err, r.b = errOps, nil
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

func (r *opReader) args() []any {
	var args []any
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		switch r.uvarint() {
		case argNull:
			args = append(args, nil)
		case argInt:
			args = append(args, r.varint())
		case argText:
			args = append(args, string(r.bytes()))
		case argBlob:
			args = append(args, r.bytes())
		default:
			r.err = errOps
		}
	}
	return args
}

// replay runs the statements of records in the transaction that is open, and returns how many records it has done.
func replay(c *conn, records [][]byte) (int, error) {
	var texts []string
	for done, body := range records {
		r := &opReader{b: body}
		for len(r.b) > 0 {
			n := r.uvarint()
			if n == uint64(len(texts)) {
				texts = append(texts, string(r.bytes()))
			}
			args := r.args()
			if r.err == nil && n >= uint64(len(texts)) {
				r.err = errOps
			}
			if r.err != nil {
				return done, r.err
			}
			if err := c.run(texts[n], args...); err != nil {
				return done, err
			}
		}
	}
	return len(records), nil
}

// epoch is the last transaction of the operation log that the database has.
func (c *conn) epoch() (int64, error) {
	r, _, err := c.one("SELECT value FROM counters WHERE name = 'ops'")
	if err != nil || r == nil {
		return 0, err
	}
	return r.int(0), nil
}

// setEpoch needs the counter, which startGathering has made.
func (c *conn) setEpoch(n int64) error {
	return c.run("UPDATE counters SET value = ? WHERE name = 'ops'", n)
}

// replayLeft does what the last run acknowledged and did not commit. When an operation makes no sense the log is set aside, after those before it
// were done, so that the start needs nobody.
func (db *DB) replayLeft() error {
	data, err := readLeft(db.opsPath())
	if err != nil || len(data) == 0 {
		return err
	}
	epoch, err := db.w.epoch()
	if err != nil {
		return err
	}
	records := splitRecords(data, epoch+1)
	if len(records) == 0 {
		return nil
	}
	good, err := db.replayIn(records, epoch+1)
	if isFull(err) && db.spendReserve(0) {
		good, err = db.replayIn(records, epoch+1)
	}
	if !isSenseless(err) {
		return err
	}
	aside := db.opsPath() + "-" + strconv.FormatInt(time.Now().UnixNano(), 10)
	db.log.Error("meta: operations of the last run can't be done again; their log is kept", "log", aside, "done", good, "of", len(records), "err", err)
	if _, err := db.replayIn(records[:good], epoch+1); err != nil {
		return err
	}
	return os.Rename(db.opsPath(), aside)
}

// isSenseless says that a statement of the log would fail at any time. Everything else may be over at the next start.
func isSenseless(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return errors.Is(err, errOps)
	}
	switch e.Code {
	case sqlite3.ErrError, sqlite3.ErrConstraint, sqlite3.ErrMismatch, sqlite3.ErrTooBig, sqlite3.ErrRange:
		return true
	}
	return false
}

// replayIn replays records in a transaction of their own, which gets the epoch. It returns how many it has done.
func (db *DB) replayIn(records [][]byte, epoch int64) (done int, err error) {
	if err := db.w.run("BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	done, err = replay(db.w, records)
	if err == nil {
		err = db.w.run("INSERT INTO counters (name, value) VALUES ('ops', 0) ON CONFLICT DO NOTHING")
	}
	if err == nil {
		err = db.w.setEpoch(epoch)
	}
	if err == nil {
		err = db.w.run("COMMIT")
	}
	if err != nil && !db.w.raw.AutoCommit() {
		err = errors.Join(err, db.w.run("ROLLBACK"))
	}
	return done, err
}

func readLeft(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("meta: open the operation log: %w", err)
	}
	defer f.Close()
	return io.ReadAll(f)
}
