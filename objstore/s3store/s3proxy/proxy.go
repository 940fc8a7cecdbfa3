package s3proxy

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Proxy is a running proxy.
type Proxy struct {
	backend *url.URL
	server  *http.Server
	client  *http.Transport
	addr    string
	gate    *gate
	plan    *plan
	counts  *counts
}

// New starts a proxy on a free port of the loopback interface, in front of the server at backend, such as http://127.0.0.1:7070.
func New(backend string) (*Proxy, error) {
	to, err := url.Parse(backend)
	if err != nil {
		return nil, fmt.Errorf("s3proxy: %w", err)
	}
	if to.Scheme != "http" || to.Host == "" {
		return nil, fmt.Errorf("s3proxy: %q is not http://host:port", backend)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("s3proxy: %w", err)
	}
	p := &Proxy{
		backend: to, addr: l.Addr().String(), gate: newGate(), plan: newPlan(), counts: newCounts(),
		client: newTransport(),
	}
	p.server = &http.Server{Handler: http.HandlerFunc(p.serve), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = p.server.Serve(&listener{l, p.gate}) }() // Close ends it
	return p, nil
}

// newTransport leaves everything as it is. Connections are not kept for long: one that the server gives up at the moment when it is used again
// would be a failure that nobody asked for. Whether a client that expects 100 Continue may send its body is the server's to say.
func newTransport() *http.Transport {
	return &http.Transport{
		MaxIdleConnsPerHost: 64, IdleConnTimeout: 2 * time.Second, DisableCompression: true, ExpectContinueTimeout: 2 * time.Second,
	}
}

// URL is the address that takes the server's place.
func (p *Proxy) URL() string { return "http://" + p.addr }

// Close stops the proxy and closes all connections.
func (p *Proxy) Close() error {
	err := p.server.Close()
	p.plan.set(0, nil)
	p.client.CloseIdleConnections()
	return err
}

// Inject replaces the faults: from now on calls fail as these say. The same seed and the same calls in the same order give the same failures.
// Calls that are stalled end with a reset.
func (p *Proxy) Inject(seed uint64, faults ...Fault) { p.plan.set(seed, faults) }

// Hole makes a black hole of the proxy, or a proxy again. In a hole connections are accepted, but nothing is read from any connection and
// nothing written to it. When the hole is gone the connections go on as they were.
func (p *Proxy) Hole(on bool) { p.gate.set(!on) }

// Count says what passed of an operation.
func (p *Proxy) Count(op Op) Count { return p.Counts()[op] }

// Counts says what passed of each operation that there was.
func (p *Proxy) Counts() map[Op]Count { return p.counts.all() }

// Total says what passed of all operations. Most is of the one that has the most.
func (p *Proxy) Total() (sum Count) {
	for _, n := range p.Counts() {
		sum.Calls += n.Calls
		sum.Faults += n.Faults
		sum.Up += n.Up
		sum.Down += n.Down
		sum.Most = max(sum.Most, n.Most)
	}
	return sum
}

// Forget sets all counters to zero.
func (p *Proxy) Forget() { p.counts.forget() }

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	op := Classify(r)
	p.counts.begin(op)
	defer p.counts.end(op)
	fault, over := p.plan.pick(op, r.URL.Path)
	in := r.WithContext(r.Context()) // the server looks at its own request's body when the call ends
	in.Body = &tally{r.Body, func(n int) { p.counts.change(op, func(c *Count) { c.Up += int64(n) }) }}
	c := &call{proxy: p, w: w, r: in, op: op, fault: fault, over: over}
	c.run()
}
