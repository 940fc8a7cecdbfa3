package fs

import "tote/meta"

// The vocabulary of documents that are no files, for faces that may not import the metadata database.
type (
	// Managed is a managed object of the inventory API.
	Managed = meta.Managed
	// ManagedQuery selects managed objects.
	ManagedQuery = meta.ManagedQuery
	// Kind is what a child is to its parent.
	Kind = meta.Kind
	// Relation says that one managed object or file is the child of another.
	Relation = meta.Relation
	// EventRow is an event of the event API.
	EventRow = meta.Event
	// Partial is an attachment of an event that arrives in pieces.
	Partial = meta.Partial
	// EventQuery selects events.
	EventQuery = meta.EventQuery
	// EventPlace is where an event stands in the order of a list.
	EventPlace = meta.EventPlace
	// Span is a range of times.
	Span = meta.Span
)

// The kinds of children of a managed object.
const (
	KindAddition = meta.KindAddition
	KindAsset    = meta.KindAsset
	KindDevice   = meta.KindDevice
)

// What an event has when it has an attachment, complete or not.
const (
	FragmentBinary     = meta.FragmentBinary
	FragmentIncomplete = meta.FragmentIncomplete
)

// PropEvent is the property, in SpaceManaged, that makes a file the attachment of the event with this number.
const PropEvent = "_event"
