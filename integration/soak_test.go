package integration

import (
	"testing"
	"time"
)

// needSoak skips long tests unless somebody asked for them.
func needSoak(t *testing.T) time.Duration {
	t.Helper()
	d := soak(t)
	if d == 0 {
		t.Skip("set TOTE_SOAK to a duration")
	}
	return d
}

// TestSoak kills the server again and again under mixed load for as long as TOTE_SOAK says, and looks as closely as TestG7Crash each time.
func TestSoak(t *testing.T) {
	deadline := time.Now().Add(needSoak(t))
	s := startServer(t)
	c := newCrash(t, s, uint64(time.Now().UnixNano()))
	rounds := 0
	for ; time.Now().Before(deadline); rounds++ {
		c.round(rounds)
		if rounds%20 == 19 {
			c.trim()
			t.Logf("%d rounds, %v left, gc: %+v", rounds+1, time.Until(deadline).Round(time.Second), s.gc())
			c.noOrphans()
		}
	}
	t.Logf("%d rounds", rounds)
	c.finish()
}

// TestSoakDatabaseSize is TestDatabaseSize with a million files.
func TestSoakDatabaseSize(t *testing.T) {
	needSoak(t)
	databaseSize(t, 1_000_000)
}
