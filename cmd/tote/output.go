package main

import "time"

// output is what a command tells on its way, besides its result. The functions may be nil.
type output struct {
	Line     func(string)   // something that people keep: a problem, a file
	Progress func(progress) // how far it is, of which only the last matters
}

// progress says how far a command is.
type progress struct {
	What  string `json:"what"`            // "uploading"
	Done  int64  `json:"done"`            // of Total
	Total int64  `json:"total,omitempty"` // 0 when it is not known
	Bytes bool   `json:"bytes,omitempty"` // what is counted; else things
}

func (o output) line(s string) {
	if o.Line != nil {
		o.Line(s)
	}
}

func (o output) progress(p progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

// progressEvery is how often progress is sent to where it is shown.
const progressEvery = 100 * time.Millisecond

// newPace returns a function that is true at most once in a period. It belongs to one goroutine at a time.
func newPace(period time.Duration) func() bool {
	var last time.Time
	return func() bool {
		now := time.Now()
		if now.Sub(last) < period {
			return false
		}
		last = now
		return true
	}
}
