// Package memstore is an object store in memory, for tests. It keeps the whole contract of package objstore but
// durability, and has the abilities of a remote store: Resumer, UploadLister, MatchGetter, Describer
// and Limiter, none that need a local disk.
//
// Bodies are copied on the way in and never changed afterwards, so that readers share them. One mutex guards
// everything, and is never held while a caller's reader or yield runs.
package memstore
