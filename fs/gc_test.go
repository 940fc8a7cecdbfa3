package fs

import (
	"fmt"
	"testing"

	"tote/objstore/storetest"
)

// TestGCDeletesSeveralAtATime wants a remote store to be asked for several deletions at a time: one after the other they are slower than a busy server's
// writers make objects to delete.
func TestGCDeletesSeveralAtATime(t *testing.T) {
	c := newFar(t)
	for i := range 40 {
		ok(t, c.putBytes(fmt.Sprintf("/f%d", i%20), []byte{byte(i)}))
	}
	several := make(chan struct{})
	c.fault.Add(storetest.Rule{Op: "delete", Do: storetest.Block(several)})
	done := make(chan GCReport)
	go func() { done <- must(c.GC(t.Context(), true))(t) }()
	c.eventually("four deletions are under way", func() bool { return c.fault.Calls("delete") >= 4 })
	close(several)
	if r := <-done; r.Objects != 20 || r.Bytes != 20 {
		t.Errorf("%+v, want 20 objects of a byte", r)
	}
	for i := range 20 {
		c.holds(fmt.Sprintf("/f%d", i), []byte{byte(20 + i)})
	}
	c.sound()
}
