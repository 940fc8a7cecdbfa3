package restapi

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"tote/fs"
)

// timeForms are the spellings of a time that clients use, from a date to nanoseconds. A fraction may follow the seconds of each.
var timeForms = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04",
	"2006-01-02Z07:00", "2006-01-02", "2006-01", "20060102T150405Z0700", "20060102T150405", "20060102",
}

var errTime = errors.New("not a time")

// parseTime reads an ISO 8601 date or date-time. Without a zone it is UTC; the plus of a zone may have become a space on its way.
func parseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if i := strings.LastIndexByte(text, ' '); i > 0 {
		glue := "T"
		if i > len("2006-01-02") {
			glue = "+"
		}
		text = text[:i] + glue + text[i+1:]
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, text); err == nil {
			if t.Year() < 1700 || t.Year() > 2200 {
				return time.Time{}, errTime // the store counts ns
			}
			return t, nil
		}
	}
	return time.Time{}, errTime
}

// parseSpan reads a range of times from two parameters.
func parseSpan(q url.Values, from, to string) (fs.Span, error) {
	var s fs.Span
	for name, end := range map[string]**int64{from: &s.From, to: &s.To} {
		v := q.Get(name)
		if v == "" {
			continue
		}
		t, err := parseTime(v)
		if err != nil {
			return s, c8yInvalid(name + " must be an ISO 8601 date or time, such as 2026-01-02T03:04:05Z")
		}
		ns := t.UnixNano()
		*end = &ns
	}
	return s, nil
}
