package restapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"tote/fs"
)

// Stores keep what is no file. Each reports what is missing as ENOENT (fs.Errno), and its changes are durable when a method returns.
type Stores struct {
	Documents Documents
	Objects   Objects
	Relations Relations
	Events    Events
	Partials  Partials
	Drafts    *fs.Drafts // their bytes
	Accounts  Accounts
}

// Objects keeps the managed objects that are no files.
type Objects interface {
	// AddManaged gives the object its number and times.
	AddManaged(ctx context.Context, m fs.Managed) (fs.Managed, error)
	// GetManaged finds one in its tenant.
	GetManaged(ctx context.Context, tenant string, id fs.Ino) (fs.Managed, error)
	// ChangeManaged edits one in a transaction. change may refuse, and may run twice.
	ChangeManaged(ctx context.Context, tenant string, id fs.Ino, change func(*fs.Managed) error) (fs.Managed, error)
	// DeleteManaged removes one with its relations.
	DeleteManaged(ctx context.Context, tenant string, id fs.Ino) error
	// ManagedList pages by number. A page may be shorter than asked for; none means the end.
	ManagedList(ctx context.Context, q fs.ManagedQuery) ([]fs.Managed, error)
	// CountManaged counts what a query finds.
	CountManaged(ctx context.Context, q fs.ManagedQuery) (int64, error)
}

// Relations keeps who is whose child. The ends are managed objects or files, and may have gone.
type Relations interface {
	// AddRelations makes relations; one that exists is fine.
	AddRelations(ctx context.Context, rels []fs.Relation) error
	// DeleteRelation ends one.
	DeleteRelation(ctx context.Context, r fs.Relation) error
	// Children lists those of r.Parent whose number is above r.Child.
	Children(ctx context.Context, r fs.Relation, limit int) ([]fs.Ino, error)
	// Parents lists those of r.Child whose number is above r.Parent.
	Parents(ctx context.Context, r fs.Relation, limit int) ([]fs.Ino, error)
}

// Events keeps events. Attachments are files; an event that is read says which one it has.
type Events interface {
	// AddEvent gives the event its number and times.
	AddEvent(ctx context.Context, e fs.EventRow) (fs.EventRow, error)
	// GetEvent finds one in its tenant.
	GetEvent(ctx context.Context, tenant string, id fs.Ino) (fs.EventRow, error)
	// ChangeEvent edits document and partial attachment of one in a transaction. change may refuse, and may run twice.
	ChangeEvent(ctx context.Context, tenant string, id fs.Ino, change func(*fs.EventRow) error) (fs.EventRow, error)
	// DeleteEvent removes one, without its file.
	DeleteEvent(ctx context.Context, tenant string, id fs.Ino) error
	// EventList pages in the order of the query. A page may be shorter than asked for; none means the end.
	EventList(ctx context.Context, q fs.EventQuery) ([]fs.EventRow, error)
	// CountEvents counts what a query finds.
	CountEvents(ctx context.Context, q fs.EventQuery) (int64, error)
}

// Partials finds attachments of events that arrive in pieces.
type Partials interface {
	// OldPartials lists events whose attachment has not grown since a time in ns, the oldest first.
	OldPartials(ctx context.Context, before int64, limit int) ([]fs.EventRow, error)
}

// Accounts lets people log in for a while.
type Accounts interface {
	// Login checks a password and returns a token that stands for it. It fails with ErrCredentials or ErrLoginBusy.
	Login(r *http.Request, tenant, user, password string) (Session, error)
	// Logout ends the token that a request came with, if it came with one.
	Logout(r *http.Request) error
}

// Session is a login.
type Session struct {
	Token   string
	Expires time.Time
}

// How a login fails, apart from what breaks.
var (
	ErrCredentials = errors.New("invalid credentials")
	ErrLoginBusy   = errors.New("too many logins failed or wait")
)
