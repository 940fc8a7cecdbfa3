package davserver

import (
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"tote/fs"
)

// conditions are the preconditions of a request: those of RFC 9110 section 13.1 and the If header of RFC 4918. They are evaluated once
// early, so that nobody uploads in vain, and again inside the core's transaction.
type conditions struct {
	path       string
	match      []string // If-Match, entity tags or "*"; nil when the header is absent
	noneMatch  []string // If-None-Match
	unmodified time.Time
	lists      []ifList
	facts      map[string]fact
}

// parseConditions reads the headers; only the If header can be wrong in a way that must be refused.
func (h *handler) parseConditions(r *http.Request, path string) (conditions, error) {
	c := conditions{path: path, match: etags(r.Header, "If-Match"), noneMatch: etags(r.Header, "If-None-Match")}
	if c.match == nil { // RFC 9110 section 13.2.2: If-Match wins
		if t, err := http.ParseTime(r.Header.Get("If-Unmodified-Since")); err == nil {
			c.unmodified = t
		}
	}
	var err error
	c.lists, err = h.parseIf(r, path)
	return c, err
}

// etags splits a list of entity tags. Commas may stand inside of one.
func etags(h http.Header, key string) []string {
	values := h.Values(key)
	if len(values) == 0 {
		return nil
	}
	tags := []string{}
	rest := strings.Join(values, ",")
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return tags
		}
		n := tagLength(rest)
		tags = append(tags, strings.TrimSpace(rest[:n]))
		rest = rest[n:]
	}
}

// tagLength is the length of the first entity tag of s, or of whatever stands there up to the next comma.
func tagLength(s string) int {
	open := strings.IndexByte(s, '"')
	comma := strings.IndexByte(s, ',')
	if open >= 0 && (comma < 0 || open < comma) {
		if end := strings.IndexByte(s[open+1:], '"'); end >= 0 {
			return open + 1 + end + 1
		}
	}
	if comma >= 0 {
		return comma
	}
	return len(s)
}

// tokens are the lock tokens submitted, wherever in the If header they stand.
func (c *conditions) tokens() []string {
	var all []string
	for _, l := range c.lists {
		for _, k := range l.conds {
			if k.token != "" {
				all = append(all, k.token)
			}
		}
	}
	return all
}

// claimsLock tells whether a token was submitted that could be a lock's. DAV:no-lock never is (RFC 4918 section 10.4.8).
func (c *conditions) claimsLock() bool {
	return slices.ContainsFunc(c.tokens(), func(t string) bool { return t != "DAV:no-lock" })
}

// empty tells whether there is nothing to check.
func (c *conditions) empty() bool {
	return c.match == nil && c.noneMatch == nil && c.unmodified.IsZero() && len(c.lists) == 0
}

// cond is check in the form the core takes; nil when there is nothing to check.
func (c *conditions) cond() *fs.Cond {
	if c.empty() {
		return nil
	}
	return &fs.Cond{Check: c.check}
}

// check tells whether a change of cur may go on; nil cur is an absent resource.
func (c *conditions) check(cur *fs.Info) error {
	switch {
	case c.match != nil && !matches(c.match, cur, false),
		c.noneMatch != nil && matches(c.noneMatch, cur, true),
		!c.unmodified.IsZero() && cur != nil && cur.ModTime().Truncate(time.Second).After(c.unmodified),
		len(c.lists) > 0 && !c.listsHold(cur):
		return fs.ErrPrecondition
	}
	return nil
}

// matches compares entity tags, strongly (If-Match) or weakly (If-None-Match). Our own tags are always strong.
func matches(tags []string, cur *fs.Info, weak bool) bool {
	if cur == nil {
		return false
	}
	own := cur.ETag()
	return slices.ContainsFunc(tags, func(t string) bool {
		if weak {
			t = strings.TrimPrefix(t, "W/")
		}
		return t == "*" || t == own
	})
}

// stat looks a resource up. What is neither a file nor a collection (a FIFO made on the mount) is absent.
func (q *request) stat(path string) (fs.Info, error) {
	info, err := q.h.fsys.Stat(q.ctx, q.actor, path)
	if err == nil && !info.IsDir() && !info.IsRegular() {
		err = syscall.ENOENT
	}
	return info, err
}

// current is the request's resource as it is now; nil without an error when it is absent.
func (q *request) current() (*fs.Info, error) {
	info, err := q.stat(q.path)
	switch {
	case err == nil:
		return &info, nil
	case code(err) == http.StatusNotFound:
		return nil, nil
	}
	return nil, err
}

// precheck evaluates all conditions against cur before any work is done.
func (q *request) precheck(cur *fs.Info) error {
	if len(q.conds.lists) > 0 {
		if err := q.conds.learn(q.ctx, q.h.fsys, q.actor); err != nil {
			return err
		}
	}
	return q.conds.check(cur)
}
