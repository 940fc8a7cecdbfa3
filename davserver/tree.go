package davserver

import (
	"net/http"
	"strings"

	"tote/fs"
)

// remove serves DELETE: a resource goes with all that is below it in one transaction.
func (q *request) remove() error {
	if q.path == "/" {
		return refuse(http.StatusForbidden, "the root of the share cannot be deleted")
	}
	cur, err := q.current()
	if err != nil {
		return err
	}
	if err := q.precheck(cur); err != nil {
		return err
	}
	if cur != nil && cur.IsDir() && q.depth() != depthInfinity {
		return badDepth()
	}
	if err := q.h.fsys.RemoveAll(q.ctx, q.actor, q.path, q.conds.cond()); err != nil {
		return err
	}
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

// copyMove serves COPY and MOVE: both ends are looked at before anything happens, and then it happens in one transaction.
func (q *request) copyMove() error {
	dst, err := q.destination()
	if err != nil {
		return err
	}
	overwrite, err := q.overwrite()
	if err != nil {
		return err
	}
	mtime, err := ocMtime(q.r.Header.Get("X-OC-Mtime"))
	if err != nil {
		return err
	}
	recursive, err := q.source()
	if err != nil {
		return err
	}
	if err := apart(q.path, dst); err != nil {
		return err
	}
	isNew, err := q.transfer(dst, overwrite, recursive)
	if err != nil {
		return q.missingParent(err)
	}
	q.stamp(dst, mtime)
	q.created(isNew)
	return nil
}

// stamp gives what a request has made the time that came with it, and tells the client. What was made stays, if that is not possible.
func (q *request) stamp(path string, mtime int64) {
	if mtime == 0 {
		return
	}
	info, err := q.stat(path)
	if err == nil {
		_, err = q.h.fsys.SetAttr(q.ctx, q.actor, info.Ino(), fs.SetAttr{Mtime: &mtime}, nil)
	}
	if err != nil {
		q.h.opts.Logger.WarnContext(q.ctx, "the time of a new resource was not set", "path", path, "err", err)
		return
	}
	q.w.Header().Set("X-OC-Mtime", "accepted")
}

// transfer calls the core.
func (q *request) transfer(dst string, overwrite, recursive bool) (bool, error) {
	if q.r.Method == "MOVE" {
		return q.h.fsys.Move(q.ctx, q.actor, q.path, dst, overwrite, q.conds.cond())
	}
	return q.h.fsys.Copy(q.ctx, q.actor, q.path, dst, overwrite, recursive, q.conds.cond())
}

// apart refuses a target that is the source, lies in it, or holds it: replacing a folder by one of its own children loses the child.
func apart(src, dst string) error {
	switch {
	case src == dst:
		return refuse(http.StatusForbidden, "source and destination are the same")
	case below(dst, src):
		return refuse(http.StatusForbidden, "the destination lies inside of the source")
	case below(src, dst):
		return refuse(http.StatusForbidden, "the destination holds the source")
	}
	return nil
}

// overwrite reads the header; absent means T (RFC 4918 section 10.6).
func (q *request) overwrite() (bool, error) {
	switch strings.ToUpper(strings.TrimSpace(q.r.Header.Get("Overwrite"))) {
	case "", "T":
		return true, nil
	case "F":
		return false, nil
	}
	return false, refuse(http.StatusBadRequest, "Overwrite is T or F")
}

// source looks at what is to be copied or moved, and tells whether to take what is below it: always for MOVE, where another Depth is only
// tolerated on a file.
func (q *request) source() (recursive bool, err error) {
	cur, err := q.current()
	if err != nil {
		return false, err
	}
	if err := q.precheck(cur); err != nil {
		return false, err
	}
	if cur == nil {
		return false, refuse(http.StatusNotFound, "the source does not exist")
	}
	switch d := q.depth(); {
	case d == depthInfinity:
		return true, nil
	case d == depthZero && (q.r.Method == "COPY" || !cur.IsDir()):
		return false, nil
	}
	return false, badDepth()
}

// locked tells whether a lock that the request has no token for covers its path.
func (q *request) locked() bool {
	locks, err := q.h.fsys.Locks(q.ctx, q.actor, q.path)
	return err == nil && len(locks) > 0 && !q.holdsAny(locks)
}

// holdsAny tells whether the token of one of the locks was submitted. One is enough: several locks on one resource are shared ones.
func (q *request) holdsAny(locks []fs.Lock) bool {
	for _, l := range locks {
		for _, t := range q.actor.Tokens {
			if t == l.Token {
				return true
			}
		}
	}
	return false
}
