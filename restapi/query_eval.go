package restapi

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// match decides about one object.
func (q *query) match(m managed) bool { return !q.conditional() || q.where.holds(m) }

func (c *clause) holds(m managed) bool {
	switch c.op {
	case "and":
		return !slices.ContainsFunc(c.parts, func(p *clause) bool { return !p.holds(m) })
	case "or":
		return slices.ContainsFunc(c.parts, func(p *clause) bool { return p.holds(m) })
	case "not":
		return !c.parts[0].holds(m)
	}
	v, ok := m.lookup(c.name)
	switch {
	case c.op == "has":
		return ok
	case c.value == nil:
		return !ok || v == nil
	case !ok || v == nil:
		return false
	case c.op == "eq":
		return equals(v, c.value, m.isTime(c.name))
	}
	n, comparable := compare(v, c.value, m.isTime(c.name))
	if !comparable {
		return false
	}
	return c.op == "gt" && n > 0 || c.op == "ge" && n >= 0 || c.op == "lt" && n < 0 || c.op == "le" && n <= 0
}

// lookup finds a member by its name, which may lead into objects with dots. Members that have dots in their own names come first.
func (m managed) lookup(name string) (any, bool) {
	if m.isTime(name) {
		name = strings.TrimSuffix(name, ".date")
	}
	for own, path := name, ""; ; {
		if raw, ok := m.member(own); ok {
			if v, ok := walk(raw, path); ok {
				return v, true
			}
		}
		i := strings.LastIndexByte(own, '.')
		if i < 0 {
			return nil, false
		}
		own, path = name[:i], name[i+1:]
	}
}

// walk follows names separated by dots into an object.
func walk(raw json.RawMessage, path string) (any, bool) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil, false
	}
	if path == "" {
		return v, true
	}
	for part := range strings.SplitSeq(path, ".") {
		inner, ok := v.(map[string]any)
		if ok {
			v, ok = inner[part]
		}
		if !ok {
			return nil, false
		}
	}
	return v, true
}

// isTime tells whether a member is a time of the server's, which is compared as one. Some clients add .date to its name.
func (m managed) isTime(name string) bool {
	name = strings.TrimSuffix(name, ".date")
	return name == "creationTime" || name == "lastUpdated"
}

// equals compares a member with a value; in a text * stands for anything. A member that is a list has to hold an equal one.
func equals(v, want any, asTime bool) bool {
	if list, ok := v.([]any); ok {
		return slices.ContainsFunc(list, func(e any) bool { return equals(e, want, asTime) })
	}
	if pattern, ok := want.(string); ok && strings.Contains(pattern, "*") {
		text, is := v.(string)
		return is && glob(pattern, text)
	}
	n, comparable := compare(v, want, asTime)
	return comparable && n == 0
}

// compare orders two values of the same type; others can't be compared.
func compare(a, b any, asTime bool) (int, bool) {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		if ok && asTime {
			if x, y, ok := bothTimes(a, b); ok {
				return x.Compare(y), true
			}
		}
		return strings.Compare(a, b), ok
	case float64:
		b, ok := b.(float64)
		return cmp.Compare(a, b), ok
	case bool:
		b, ok := b.(bool)
		return cmp.Compare(btoi(a), btoi(b)), ok
	}
	return 0, false
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func bothTimes(a, b string) (x, y time.Time, ok bool) {
	x, err := parseTime(a)
	if err != nil {
		return x, y, false
	}
	y, err = parseTime(b)
	return x, y, err == nil
}

// keys are what the query orders an object by.
func (q *query) keys(m managed) []any {
	keys := make([]any, len(q.order))
	for i, k := range q.order {
		v, _ := m.lookup(k.name)
		if s, ok := v.(string); ok && len(s) > 256 {
			v = s[:256]
		}
		keys[i] = v
	}
	return keys
}

// compareKeys orders objects: what has no such member comes first, then truth values, numbers and texts.
func (q *query) compareKeys(a, b []any) int {
	for i, k := range q.order {
		n := cmp.Compare(rankOf(a[i]), rankOf(b[i]))
		if n == 0 {
			n, _ = compare(a[i], b[i], false)
		}
		if n != 0 && k.desc {
			return -n
		}
		if n != 0 {
			return n
		}
	}
	return 0
}

func rankOf(v any) int {
	switch v.(type) {
	case bool:
		return 1
	case float64:
		return 2
	case string:
		return 3
	}
	return 0
}
