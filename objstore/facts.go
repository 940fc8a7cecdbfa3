package objstore

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

const (
	maxFactName = 32
	// MaxFacts is the room for the facts of one object, in bytes of their names and of their values as a store
	// encodes them.
	MaxFacts = 2048
)

var errFact = errors.New("bad fact about an object")

// CheckFacts checks facts as a Describer takes them.
func CheckFacts(facts map[string]string) error {
	for name, value := range facts {
		if name == "" || len(name) > maxFactName || !plainName(name) {
			return fmt.Errorf("%w: the name %q", errFact, name)
		}
		if !utf8.ValidString(value) {
			return fmt.Errorf("%w: %s is not UTF-8", errFact, name)
		}
	}
	return nil
}

func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// FitFacts returns the facts that fit into MaxFacts bytes, each encoded with encode. The longest are left out
// first: a long path is worth less than the many short ones it would push out.
func FitFacts(facts map[string]string, encode func(string) string) map[string]string {
	fit := make(map[string]string, len(facts))
	room := MaxFacts
	for name, value := range facts {
		fit[name] = encode(value)
		room -= len(name) + len(fit[name])
	}
	longest := slices.SortedFunc(maps.Keys(fit), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(fit[b]), len(fit[a])), cmp.Compare(a, b))
	})
	for i := 0; room < 0; i++ {
		name := longest[i]
		room += len(name) + len(fit[name])
		delete(fit, name)
	}
	return fit
}
