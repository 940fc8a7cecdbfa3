package davserver

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/adler32"
	"io"
	"net/http"
	"slices"
	"strings"
)

// ocNS is the namespace of ownCloud's properties, of which sync clients read the checksums.
const ocNS = "http://owncloud.org/ns"

// ocChecksums is the property in which clients look for the digests of a file.
var ocChecksums = name{Space: ocNS, Local: "checksums"}

// digest is what a client says about the bytes of a PUT.
type digest struct {
	algo string // as kept: MD5, SHA1, SHA256, SHA512 or ADLER32
	want []byte // nil: only to be known
	hash hash.Hash
}

// newHash knows the algorithms; nil is one that is not checked.
func newHash(algo string) hash.Hash {
	switch algo {
	case "MD5":
		return md5.New()
	case "SHA1":
		return sha1.New()
	case "SHA256":
		return sha256.New()
	case "SHA512":
		return sha512.New()
	case "ADLER32":
		return adler32.New()
	}
	return nil
}

// digests reads the headers that carry one: Content-MD5 (RFC 1864), Digest (RFC 3230), Content-Digest and Repr-Digest (RFC 9530) and OC-Checksum.
// Algorithms that are not known are passed over, as those RFCs want it.
func digests(head http.Header) ([]digest, error) {
	var all []digest
	add := func(algo, value string, decode func(string) ([]byte, error)) bool {
		h := newHash(strings.ToUpper(strings.ReplaceAll(algo, "-", "")))
		if h == nil {
			return true
		}
		want, err := decode(value)
		if err != nil || len(want) != h.Size() {
			return false
		}
		all = append(all, digest{strings.ToUpper(strings.ReplaceAll(algo, "-", "")), want, h})
		return true
	}
	ok := true
	if v := head.Get("Content-MD5"); v != "" {
		ok = add("MD5", v, base64.StdEncoding.DecodeString)
	}
	if algo, v, found := strings.Cut(head.Get("OC-Checksum"), ":"); found {
		ok = add(algo, v, hex.DecodeString) && ok
	}
	for _, key := range []string{"Digest", "Content-Digest", "Repr-Digest"} {
		for one := range strings.SplitSeq(strings.Join(head.Values(key), ","), ",") {
			algo, v, _ := strings.Cut(strings.TrimSpace(one), "=")
			if key != "Digest" {
				v = strings.TrimSuffix(strings.TrimPrefix(v, ":"), ":")
			}
			ok = add(algo, v, base64.StdEncoding.DecodeString) && ok
		}
	}
	if !ok {
		return nil, refuse(http.StatusBadRequest, "a digest in the headers is not valid")
	}
	if head.Get("OC-Checksum") != "" {
		all = withBoth(all)
	}
	return all, nil
}

// withBoth adds SHA1 and MD5 for a sync client, which sends one of them and may ask for the other.
func withBoth(all []digest) []digest {
	for _, algo := range []string{"SHA1", "MD5"} {
		if !slices.ContainsFunc(all, func(d digest) bool { return d.algo == algo }) {
			all = append(all, digest{algo: algo, hash: newHash(algo)})
		}
	}
	return all
}

// through is r with every byte shown to the hashes.
func through(r io.Reader, all []digest) io.Reader {
	for i := range all {
		r = io.TeeReader(r, all[i].hash)
	}
	return r
}

// verify compares, and gives the digests in the form in which they are kept.
func verify(all []digest) (string, error) {
	var kept []string
	for _, d := range all {
		got := d.hash.Sum(nil)
		if d.want != nil && string(got) != string(d.want) {
			return "", refuse(http.StatusBadRequest, "the body does not have the "+d.algo+" that was sent with it: nothing was changed")
		}
		kept = append(kept, d.algo+":"+hex.EncodeToString(got))
	}
	return strings.Join(kept, " "), nil
}

// sendDigests puts what is known about a file's bytes into the headers of its GET: the first digest for sync clients, SHA-2 as RFC 9530 has it.
func sendDigests(head http.Header, kept string) {
	var repr []string
	for one := range strings.FieldsSeq(kept) {
		algo, v, _ := strings.Cut(one, ":")
		if head.Get("OC-Checksum") == "" {
			head.Set("OC-Checksum", one)
		}
		if sum, err := hex.DecodeString(v); err == nil && strings.HasPrefix(algo, "SHA") && len(sum) >= sha256.Size {
			repr = append(repr, "sha-"+algo[3:]+"=:"+base64.StdEncoding.EncodeToString(sum)+":")
		}
	}
	if len(repr) > 0 {
		head.Set("Repr-Digest", strings.Join(repr, ", "))
	}
}

// appendChecksums writes the value of oc:checksums.
func appendChecksums(b []byte, kept string) []byte {
	b = append(b, `<P:checksum xmlns:P="`+ocNS+`">`...)
	return append(append(b, kept...), "</P:checksum>"...)
}
