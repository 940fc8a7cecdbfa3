//go:build race

package integration

// raceFlags make the server under test find races when the tests look for them too.
var raceFlags = []string{"-race"}
