package objstore

import "errors"

// The outcomes callers tell apart. Stores wrap them with what happened to which key.
var (
	ErrNotFound  = errors.New("object not found")
	ErrKey       = errors.New("bad object key")
	ErrRange     = errors.New("range is not inside the object")
	ErrSize      = errors.New("body does not have the announced size")
	ErrPart      = errors.New("bad or unknown part")
	ErrNoSpace   = errors.New("no space left in the object store")
	ErrTemporary = errors.New("object store is temporarily unavailable") // safe to retry
	ErrChanged   = errors.New("object is another one than expected")     // its content tag differs
	ErrDenied    = errors.New("object store refuses access")             // wrong credentials, no permission, a wrong clock
)
