package davserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tote/fs"
)

// maxOwner bounds the owner element of a lock, which is answered with every lockdiscovery.
const maxOwner = 8 << 10

// lock serves LOCK: with a body it takes a lock (making an empty file where nothing is), without one it refreshes.
func (q *request) lock() error {
	body, err := parseXML(q.r.Body)
	if err != nil {
		return err
	}
	cur, err := q.current()
	if err != nil {
		return q.missingParent(err)
	}
	if body == nil {
		return q.refresh()
	}
	if err := q.precheck(cur); err != nil {
		return err
	}
	want, err := q.lockInfo(body)
	if err != nil {
		return err
	}
	l, err := q.h.fsys.AddLock(q.ctx, q.actor, want, q.conds.cond())
	if err != nil {
		return err
	}
	if cur == nil && !q.drops() {
		if err := q.reserve(l.Token); err != nil {
			return errors.Join(q.missingParent(err), q.h.fsys.RemoveLock(context.WithoutCancel(q.ctx), q.actor, l.Token))
		}
	}
	return q.answerLock(l, cur == nil)
}

// reserve makes the empty file that a lock on an unmapped name stands on (RFC 4918 section 7.3). The lock was taken first, so nobody comes
// in between.
func (q *request) reserve(token string) error {
	q.actor.Tokens = append(q.actor.Tokens, token)
	w, err := q.h.fsys.NewWriter(q.ctx, q.actor, fs.Target{Path: q.path})
	if err != nil {
		return err
	}
	defer w.Abort()
	_, _, err = w.Commit(q.ctx, fs.CommitOptions{Cond: q.conds.cond(), NoReplace: true})
	return err
}

// lockInfo reads what kind of lock is wanted.
func (q *request) lockInfo(body *element) (fs.Lock, error) {
	l := fs.Lock{Path: q.path}
	scope, kind := body.kid("lockscope"), body.kid("locktype")
	if body.name != dav("lockinfo") || scope == nil || kind == nil || kind.kid("write") == nil {
		return l, badXML()
	}
	l.Shared = scope.kid("shared") != nil
	if l.Shared == (scope.kid("exclusive") != nil) {
		return l, badXML()
	}
	switch q.depth() {
	case depthZero:
	case depthInfinity:
		l.Infinite = true
	default:
		return l, badDepth()
	}
	if o := body.kid("owner"); o != nil {
		l.Owner = o.inner()
	}
	if len(l.Owner) > maxOwner {
		return l, refuse(http.StatusBadRequest, "the owner element is larger than 8 KiB")
	}
	l.Expires = q.h.fsys.Now().Add(q.timeout())
	return l, nil
}

// timeout reads the Timeout header. Every lock ends: "Infinite" gets the longest time, nonsense the default.
func (q *request) timeout() time.Duration {
	for v := range strings.SplitSeq(q.r.Header.Get("Timeout"), ",") {
		v = strings.ToLower(strings.TrimSpace(v))
		if v == "infinite" {
			return q.h.opts.LockMax
		}
		if s, ok := strings.CutPrefix(v, "second-"); ok {
			if n, err := strconv.ParseUint(s, 10, 63); err == nil && n > 0 {
				return time.Duration(min(n, uint64(q.h.opts.LockMax/time.Second))) * time.Second
			}
		}
	}
	return min(q.h.opts.LockTimeout, q.h.opts.LockMax)
}

// refresh starts a lock's time anew. Its token comes in the If header, and the lock has to cover the request's resource.
func (q *request) refresh() error {
	tokens := q.conds.tokens()
	if len(tokens) == 0 {
		return refuse(http.StatusBadRequest, "a LOCK without a body refreshes a lock and needs its token in the If header")
	}
	locks, err := q.h.fsys.Locks(q.ctx, q.actor, q.path)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(locks, func(l fs.Lock) bool { return slices.Contains(tokens, l.Token) })
	if i < 0 {
		return refuseXML(http.StatusPreconditionFailed, "no lock with this token covers the resource", "<D:lock-token-matches-request-uri/>")
	}
	if err := q.mayUse(&locks[i]); err != nil {
		return err
	}
	l, err := q.h.fsys.RefreshLock(q.ctx, q.actor, locks[i].Token, q.timeout())
	if err != nil {
		return err
	}
	return q.answerLock(l, false)
}

// mayUse refuses a token in the hands of another user: lockdiscovery shows tokens to everybody, so knowing one proves nothing. An
// administrator may break locks.
func (q *request) mayUse(l *fs.Lock) error {
	if l.User != q.actor.User && !q.actor.HasRole(fs.RoleAdmin) {
		return refuse(http.StatusForbidden, "the lock belongs to another user")
	}
	return nil
}

// answerLock sends all locks of the resource, the one in question first.
func (q *request) answerLock(l fs.Lock, created bool) error {
	locks := []fs.Lock{l}
	others, err := q.h.fsys.Locks(q.ctx, q.actor, q.path)
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.Token != l.Token {
			locks = append(locks, o)
		}
	}
	b := append([]byte(xmlHeader), `<D:prop xmlns:D="DAV:"><D:lockdiscovery>`...)
	for i := range locks {
		b = q.appendLock(b, &locks[i])
	}
	b = append(b, "</D:lockdiscovery></D:prop>\n"...)
	head := q.w.Header()
	head.Set("Content-Type", xmlType)
	head.Set("Content-Length", strconv.Itoa(len(b)))
	if q.r.ContentLength != 0 { // a refresh hands out no token
		head.Set("Lock-Token", "<"+l.Token+">")
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	q.w.WriteHeader(status)
	_, _ = q.w.Write(b) // a client that left does not need it
	return nil
}

// appendLock writes one <D:activelock>.
func (q *request) appendLock(b []byte, l *fs.Lock) []byte {
	scope, depth := "exclusive", "0"
	if l.Shared {
		scope = "shared"
	}
	if l.Infinite {
		depth = "infinity"
	}
	b = append(b, "<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope><D:"...)
	b = append(append(b, scope...), "/></D:lockscope><D:depth>"...)
	b = append(append(b, depth...), "</D:depth>"...)
	if l.Owner != "" {
		b = append(append(append(b, "<D:owner>"...), l.Owner...), "</D:owner>"...)
	}
	left := max(1, (l.Expires.Sub(q.h.fsys.Now())+time.Second/2)/time.Second)
	b = strconv.AppendInt(append(b, "<D:timeout>Second-"...), int64(left), 10)
	b = appendText(append(b, "</D:timeout><D:locktoken><D:href>"...), l.Token)
	b = q.h.appendHref(append(b, "</D:href></D:locktoken><D:lockroot><D:href>"...), l.Path, false)
	return append(b, "</D:href></D:lockroot></D:activelock>"...)
}

// unlock serves UNLOCK. Some clients leave the angle brackets out.
func (q *request) unlock() error {
	token := strings.TrimSpace(q.r.Header.Get("Lock-Token"))
	if t, ok := strings.CutPrefix(token, "<"); ok {
		if token, ok = strings.CutSuffix(t, ">"); !ok {
			token = ""
		}
	}
	if token == "" {
		return refuse(http.StatusBadRequest, "the Lock-Token header is missing or not valid")
	}
	locks, err := q.h.fsys.Locks(q.ctx, q.actor, q.path)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(locks, func(l fs.Lock) bool { return l.Token == token })
	if i < 0 {
		return refuseXML(http.StatusConflict, "no lock with this token covers the resource", "<D:lock-token-matches-request-uri/>")
	}
	if err := q.mayUse(&locks[i]); err != nil {
		return err
	}
	if err := q.h.fsys.RemoveLock(q.ctx, q.actor, token); err != nil {
		return err
	}
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

// maxRoots bounds the hrefs in a 423: one is enough for a client to know where to look.
const maxRoots = 10

// lockedError is the 423 with the roots of the locks that are in the way, as far as they can still be found.
func (q *request) lockedError(cause error) error {
	roots := q.foreignLocks(q.path)
	if dst, err := q.destination(); err == nil {
		roots = append(roots, q.foreignLocks(dst)...)
	}
	if len(roots) == 0 {
		roots = []string{q.path}
	}
	slices.Sort(roots)
	roots = slices.Compact(roots)
	rule := "lock-token-submitted"
	if q.r.Method == "LOCK" {
		rule = "no-conflicting-lock"
	}
	b := []byte("<D:" + rule + ">")
	for _, p := range roots[:min(len(roots), maxRoots)] {
		b = append(q.h.appendHref(append(b, "<D:href>"...), p, false), "</D:href>"...)
	}
	b = append(b, "</D:"+rule+">"...)
	return refuseXML(http.StatusLocked, cause.Error(), string(b))
}

// foreignLocks lists the roots of locks that the request has no token for: on or over p, in its tree, or on its collection with depth 0,
// which guards the list of members.
func (q *request) foreignLocks(p string) []string {
	var roots []string
	for _, find := range []func() ([]fs.Lock, error){
		func() ([]fs.Lock, error) { return q.h.fsys.Locks(q.ctx, q.actor, p) },
		func() ([]fs.Lock, error) { return q.h.fsys.LocksBelow(q.ctx, q.actor, p, maxHeldLocks) },
		func() ([]fs.Lock, error) { return q.h.fsys.Locks(q.ctx, q.actor, parentOf(p)) },
	} {
		locks, err := find()
		if err != nil {
			continue // the answer is 423 whether or not the lock can be named
		}
		for _, l := range locks {
			if !slices.Contains(q.actor.Tokens, l.Token) {
				roots = append(roots, l.Path)
			}
		}
		if len(roots) > 0 {
			break
		}
	}
	return roots
}
