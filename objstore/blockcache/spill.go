package blockcache

import "time"

const (
	spillers   = 2                      // goroutines that write
	spillQueue = 8                      // blocks that wait to be written
	spillWait  = 250 * time.Millisecond // longest a fetch waits for the disk
)

// spill hands a block on to be written, and the caller's reference with it. A disk that is slower than the store
// holds a fetch up only so long; then the block is left out.
func (c *Cache) spill(b *block) {
	if !c.disk.wants(len(b.data)) {
		b.release()
		return
	}
	select {
	case c.spills <- b:
		return
	default:
	}
	timer := time.NewTimer(spillWait)
	defer timer.Stop()
	select {
	case c.spills <- b:
	case <-timer.C:
		c.disk.skipped.Add(1)
		b.release()
	}
}

// write writes blocks until Close.
func (c *Cache) write() {
	for b := range c.spills {
		c.disk.write(b.id, b.crc, b.data)
		b.release()
	}
}
