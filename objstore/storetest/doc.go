// Package storetest holds object stores to the contract of package objstore.
//
// Run is the conformance suite: one named sub-test per clause, run over every store and every decorator. Bench is
// its counterpart for speed. Trace records the calls a store receives, for golden tests; Fault makes chosen
// calls fail, wait or end early. Both pass the abilities of the store beneath them on, and only those, so that
// no call gets around them.
package storetest
