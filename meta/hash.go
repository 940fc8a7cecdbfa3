package meta

import (
	"strconv"
	"strings"
)

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

// placeBits is how many low bits tell keys with the same GUID apart.
const placeBits = 13

// guidPlace is the first of the places that keys with a GUID have in the index of versions, part of the database
// format like nameHash. New GUIDs begin with the time, so that new versions go to the end of the index: its last page
// is warm and full, where a hash would hit any. Any other text gets the place of its hash. Never 0.
func guidPlace(guid string) int64 {
	h := nameHash(guid) >> placeBits
	if n, err := strconv.ParseUint(guidHead(guid), 16, 64); err == nil {
		h = n & (1<<50 - 1) // 42 bits of milliseconds, which last until 2109, and 8 of their fraction
	}
	return int64(max(h, 1) << placeBits)
}

// guidHead returns the milliseconds of a GUID of version 7 and what follows its version, or "" of any other.
func guidHead(guid string) string {
	if len(guid) != 36 || guid[8] != '-' || guid[13] != '-' || guid[14] != '7' || guid[18] != '-' {
		return ""
	}
	return guid[:8] + guid[9:13] + guid[15:17]
}

// keyPlace is the place of an object key; 0 means no key and is not in the index.
func keyPlace(key string) int64 {
	if key == "" {
		return 0
	}
	h := int64(nameHash(key))
	i := strings.LastIndex(key, "@_@")
	if i < 0 {
		return h
	}
	guid, _, _ := strings.Cut(key[i+len("@_@"):], ".")
	return guidPlace(guid) | h&(1<<placeBits-1)
}

// extraPlace is where a version is found by its GUID, or 0 when the place of its key is in the same range.
func extraPlace(guid, key string) int64 {
	g := guidPlace(guid)
	if keyPlace(key)>>placeBits == g>>placeBits {
		return 0
	}
	return g
}
