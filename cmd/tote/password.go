package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
)

// hashParams is one of the equivalent settings that OWASP recommends for argon2id, the one with 12 MiB: a server that stays below
// 150 MiB can compute a few at a time.
var hashParams = &argon2id.Params{Memory: 12 * 1024, Iterations: 3, Parallelism: 1, SaltLength: 16, KeyLength: 32}

const (
	minPassword = 8
	maxPassword = 256 // a hash must not cost more because the password is a novel
)

// hashPassword returns the password's argon2id hash in PHC form.
func hashPassword(password string) (string, error) {
	return argon2id.CreateHash(password, hashParams)
}

// checkPassword refuses passwords that HTTP Basic can't carry or that are no secret.
func checkPassword(p string) error {
	switch {
	case len(p) < minPassword:
		return fmt.Errorf("a password has at least %d characters", minPassword)
	case len(p) > maxPassword:
		return fmt.Errorf("a password has at most %d bytes", maxPassword)
	case !utf8.ValidString(p):
		return errors.New("a password is UTF-8 text")
	}
	for _, r := range p {
		if r < ' ' || r == 0x7f {
			return errors.New("a password has no control characters")
		}
	}
	return nil
}

// randomPassword makes a password of 130 random bits.
func randomPassword() string { return rand.Text() }

// writePassword leaves the admin's first password where its owner, and nobody else, can read it. The file is durable before the user
// exists: a crash in between leaves a password that is not used, never a user whose password nobody knows.
func writePassword(path, password string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(password + "\n")
	return errors.Join(err, f.Sync(), f.Close())
}
