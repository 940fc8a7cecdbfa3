package meta

// nameHash places a name in its directory's order. It is part of the database format: FNV-1a, whose last bytes hardly
// reach the high bits, then a mixer that spreads them. The result is 63 bits, because SQLite's integers are signed,
// and never 0, which is the cursor before the first entry.
func nameHash(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return max(h>>1, 1)
}

// keyHash is the number that versions are indexed by for their key; 0 means no key and is not in the index.
func keyHash(key string) int64 {
	if key == "" {
		return 0
	}
	return int64(nameHash(key))
}
