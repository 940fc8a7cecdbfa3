package s3proxy

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// Mode is a way in which a call fails.
type Mode int

// The ways. "In mid-body" means in the request's body; where that is empty, in the answer's; and where neither is expected, before the call
// reaches the server.
const (
	Reset           Mode = iota + 1 // the connection is reset in mid-body
	Stall                           // in mid-body nothing moves any more, until the client gives up or Inject is called
	ServerError                     // 500 InternalError; the server never hears of the call
	SlowDown                        // 503 SlowDown; the server never hears of the call
	Truncate                        // the answer's body ends early, behind the right Content-Length
	Corrupt                         // one bit of an uploaded or downloaded object's bytes is another one
	Lost                            // the server has done it, and the connection is closed without an answer
	Hang                            // the server has done it, and no answer comes until the client gives up or Inject is called
	ErrorIn200                      // 200 with an error in its body; the server never hears of the call
	ErrorIn200After                 // the same after the server has done it
	NoSuchUpload                    // 404 NoSuchUpload after the server has done it
)

// Modes are all of them, for tests that try each.
var Modes = []Mode{Reset, Stall, ServerError, SlowDown, Truncate, Corrupt, Lost, Hang, ErrorIn200, ErrorIn200After, NoSuchUpload}

// String names the mode in lower case.
func (m Mode) String() string {
	names := []string{"none", "reset", "stall", "server error", "slow down", "truncate", "corrupt", "lost reply",
		"hang", "error in 200", "error in 200 after success", "no such upload after success"}
	if m < 0 || int(m) >= len(names) {
		return "unknown"
	}
	return names[m]
}

// Fault makes some calls fail.
type Fault struct {
	Mode  Mode
	Ops   []Op    // the operations; none: all that the mode is made for
	Path  string  // only calls whose path holds this
	Share float64 // of the calls, from 0 to 1
	Nth   int     // only the n-th call from now on, from 1; Share does not count then
	At    int64   // where in the body; 0: in its middle
}

// makesSense tells whether a mode is made for an operation. S3 sends errors in a 200 only where it works
// for long before it knows; bytes are corrupted only where a checksum protects them; only answers that have a body can be truncated.
func (m Mode) makesSense(op Op) bool {
	switch m {
	case NoSuchUpload:
		return op == CompleteMultipartUpload
	case ErrorIn200, ErrorIn200After:
		return slices.Contains([]Op{CompleteMultipartUpload, UploadPartCopy, CopyObject}, op)
	case Corrupt:
		return op == GetObject || op == PutObject || op == UploadPart
	case Truncate:
		return slices.Contains([]Op{GetObject, ListObjects, ListMultipartUploads, ListParts, CreateMultipartUpload, CompleteMultipartUpload,
			UploadPartCopy, CopyObject}, op)
	}
	return true
}

func (f *Fault) concerns(op Op, path string) bool {
	if !strings.Contains(path, f.Path) {
		return false
	}
	if len(f.Ops) == 0 {
		return f.Mode.makesSense(op)
	}
	return slices.Contains(f.Ops, op)
}

// plan decides which calls fail.
type plan struct {
	mu     sync.Mutex
	rnd    *rand.Rand    // guarded by mu
	faults []Fault       // guarded by mu; Nth counts down
	over   chan struct{} // guarded by mu; closed when another plan is made, so that stalls end
}

func newPlan() *plan { return &plan{over: make(chan struct{})} }

func (p *plan) set(seed uint64, faults []Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rnd = rand.New(rand.NewPCG(seed, 0))
	p.faults = slices.Clone(faults)
	close(p.over)
	p.over = make(chan struct{})
}

// pick chooses the fault of a call, the first one that strikes, and returns what ends its stall. No fault has mode 0.
func (p *plan) pick(op Op, path string) (Fault, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var chosen Fault
	for i := range p.faults {
		f := &p.faults[i]
		if f.concerns(op, path) && p.strikes(f) && chosen.Mode == 0 {
			chosen = *f
		}
	}
	return chosen, p.over
}

// strikes is called under mu.
func (p *plan) strikes(f *Fault) bool {
	if f.Nth == 0 {
		return p.rnd.Float64() < f.Share
	}
	if f.Nth > 0 {
		f.Nth--
	}
	if f.Nth > 0 {
		return false
	}
	hit := f.Nth == 0
	f.Nth = -1 // it has been
	return hit
}
