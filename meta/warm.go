package meta

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	warmSize  = 32 << 20 // of a database that is brought into the page cache as a whole
	warmPause = time.Second
)

// warm has the kernel read a small database ahead when somebody begins to list a directory or opens a file. Entries are in the order of their hashes and
// lead all over the file, so that each page would be a read of its own: after a start of the machine that takes many times as long. What is in the page
// cache already costs a look, and that once a second.
func (db *DB) warm() {
	last, now := db.warmed.Load(), time.Now().UnixNano()
	if now-last < int64(warmPause) || !db.warmed.CompareAndSwap(last, now) {
		return
	}
	st, err := db.file.Stat()
	if err != nil || st.Size() > warmSize {
		return
	}
	_ = unix.Fadvise(int(db.file.Fd()), 0, st.Size(), unix.FADV_WILLNEED) // a hint
}
