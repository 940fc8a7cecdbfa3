package objstore

// gib is 2^30 bytes.
const gib = 1 << 30

// Limits are what a store can't go beyond. Callers keep to them; a store refuses what breaks them.
type Limits struct {
	MinPart int64 // the smallest part of an upload except its last
	MaxPart int64 // the largest part; larger ones are ErrPart
	MaxPut  int64 // the largest object that Put takes; larger ones are ErrSize

	// CopyPart copies ranges of objects that have at least MinCopy bytes, and whole objects, inside the store, up
	// to MaxCopy bytes at once; longer ones are ErrPart. Ranges of smaller objects travel through the caller's
	// process.
	MinCopy int64
	MaxCopy int64

	MaxKey     int  // bytes of the longest key; longer ones are ErrKey
	EqualParts bool // all parts of an upload but the last must have one size
	AllParts   bool // Complete must list every part that was stored: leaving one out is ErrPart

	// TreeKeys says that objects are kept as files in directories: no object can have a key that is a directory
	// of another one's, as "a" beside "a/b". Put of the second is ErrKey, and its Complete fails.
	TreeKeys bool
}

// LimitsOf returns the limits of a store, or of the stores beneath its decorators. A store that does not tell
// has those below.
func LimitsOf(s Store) Limits {
	if l, ok := As[Limiter](s); ok {
		return l.Limits()
	}
	return Limits{MinPart: 1, MaxPart: 5 * gib, MaxPut: 5 * gib, MinCopy: 1, MaxCopy: 5 * gib, MaxKey: MaxKey}
}
