package meta

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

func addManaged(t testing.TB, db *DB, m Managed) Managed {
	t.Helper()
	if m.Tenant == "" {
		m.Tenant = "rdp"
	}
	if m.Doc == nil {
		m.Doc = []byte("{}")
	}
	m, err := db.AddManaged(t.Context(), m, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func addEvent(t testing.TB, db *DB, e Event) Event {
	t.Helper()
	if e.Tenant == "" {
		e.Tenant = "rdp"
	}
	if e.Doc == nil {
		e.Doc = []byte("{}")
	}
	e, err := db.AddEvent(t.Context(), e, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestManaged(t *testing.T) {
	db := openDB(t, t.TempDir()+"/tote.db", Options{Now: clock()})
	f := mkfile(t, db, RootIno, "f")
	m := addManaged(t, db, Managed{Owner: "ann", Type: "c8y_T", Name: "n", Doc: []byte(`{"a":1}`)})
	if m.ID == f.Ino || m.ID <= RootIno || m.Created == 0 || m.Updated != m.Created {
		t.Errorf("made %+v", m)
	}
	if got, err := db.GetManaged(t.Context(), "rdp", m.ID); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err := db.GetManaged(t.Context(), "other", m.ID)
	wantErr(t, err, syscall.ENOENT)
	changed, err := db.ChangeManaged(t.Context(), "rdp", m.ID, func(m *Managed) error {
		m.Name, m.Doc = "new", []byte(`{"b":2}`)
		return nil
	}, Durable)
	if err != nil || changed.Name != "new" || changed.Updated <= m.Updated || changed.Created != m.Created {
		t.Errorf("changed %+v, %v", changed, err)
	}
	_, err = db.ChangeManaged(t.Context(), "rdp", m.ID, func(m *Managed) error { m.Name = "lost"; return errRefused }, Relaxed)
	wantErr(t, err, errRefused)
	_, err = db.ChangeManaged(t.Context(), "other", m.ID, func(*Managed) error { return nil }, Relaxed)
	wantErr(t, err, syscall.ENOENT)
	if got, _ := db.GetManaged(t.Context(), "rdp", m.ID); !reflect.DeepEqual(got, changed) {
		t.Errorf("after a refused change it is %+v", got)
	}
	wantErr(t, db.DeleteManaged(t.Context(), "other", m.ID, Relaxed), syscall.ENOENT)
	if err := db.DeleteManaged(t.Context(), "rdp", m.ID, Relaxed); err != nil {
		t.Fatal(err)
	}
	wantErr(t, db.DeleteManaged(t.Context(), "rdp", m.ID, Relaxed), syscall.ENOENT)
	wantSound(t, db)
}

func TestManagedList(t *testing.T) {
	db := newDB(t)
	var ids []Ino
	for i := range 6 {
		ids = append(ids, addManaged(t, db, Managed{Owner: fmt.Sprint("o", i%2), Type: fmt.Sprint("t", i%3)}).ID)
	}
	addManaged(t, db, Managed{Tenant: "other", Owner: "o1", Type: "t1"})
	for name, c := range map[string]struct {
		q    ManagedQuery
		want []Ino
	}{
		"all":     {ManagedQuery{Limit: 9}, ids},
		"behind":  {ManagedQuery{After: ids[2], Limit: 2}, ids[3:5]},
		"owner":   {ManagedQuery{Owner: "o1", Limit: 9}, []Ino{ids[1], ids[3], ids[5]}},
		"type":    {ManagedQuery{Type: "t2", Limit: 9}, []Ino{ids[2], ids[5]}},
		"both":    {ManagedQuery{Owner: "o1", Type: "t2", Limit: 9}, []Ino{ids[5]}},
		"numbers": {ManagedQuery{IDs: []Ino{ids[4], 4711, ids[0]}, Limit: 9}, []Ino{ids[0], ids[4]}},
		"none":    {ManagedQuery{IDs: []Ino{}, Limit: 9}, nil},
	} {
		c.q.Tenant = "rdp"
		got, err := db.ManagedList(t.Context(), c.q)
		if err != nil {
			t.Fatal(err)
		}
		var found []Ino
		for _, m := range got {
			found = append(found, m.ID)
		}
		wantEqual(t, name, found, c.want)
		c.q.After = 0
		if n, err := db.CountManaged(t.Context(), c.q); err != nil || name != "behind" && n != int64(len(c.want)) {
			t.Errorf("%s: counted %d, %v", name, n, err)
		}
	}
}

// However large the documents are, a page of them fits into memory, and pages together are complete.
func TestPagesOfDocumentsAreBounded(t *testing.T) {
	db := newDB(t)
	doc := []byte(`{"a":"` + strings.Repeat("x", 900_000) + `"}`)
	for range 7 {
		addEvent(t, db, Event{Source: addManaged(t, db, Managed{Doc: doc}).ID, Doc: doc})
	}
	n, after, pages := 0, Ino(0), 0
	for {
		page, err := db.ManagedList(t.Context(), ManagedQuery{Tenant: "rdp", After: after, Limit: 100})
		if err != nil || len(page) == 0 {
			break
		}
		if len(page) > 3 {
			t.Errorf("a page of %d", len(page))
		}
		n, after, pages = n+len(page), page[len(page)-1].ID, pages+1
	}
	if n != 7 || pages != 3 {
		t.Errorf("%d objects in %d pages", n, pages)
	}
	events, err := db.EventList(t.Context(), EventQuery{Tenant: "rdp", Limit: 100})
	if err != nil || len(events) != 3 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

func TestRelations(t *testing.T) {
	db := newDB(t)
	p, q := addManaged(t, db, Managed{}).ID, addManaged(t, db, Managed{}).ID
	f := mkfile(t, db, RootIno, "f").Ino
	add := func(r Relation) {
		t.Helper()
		if err := db.AddRelations(t.Context(), []Relation{r}, Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	add(Relation{"rdp", p, KindAddition, f})
	add(Relation{"rdp", p, KindAddition, f}) // twice is fine
	add(Relation{"rdp", p, KindAddition, q})
	add(Relation{"rdp", q, KindAsset, f})
	children := func(parent Ino, kind Kind, after Ino) []Ino {
		got, err := db.Children(t.Context(), Relation{"rdp", parent, kind, after}, 10)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	wantEqual(t, "children", children(p, KindAddition, 0), []Ino{q, f})
	wantEqual(t, "children behind", children(p, KindAddition, q), []Ino{f})
	wantEqual(t, "assets", children(p, KindAsset, 0), nil)
	parents, err := db.Parents(t.Context(), Relation{"rdp", 0, KindAsset, f}, 10)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "parents", parents, []Ino{q})
	wantErr(t, db.DeleteRelation(t.Context(), Relation{"other", p, KindAddition, q}, Relaxed), syscall.ENOENT)
	if err := db.DeleteRelation(t.Context(), Relation{"rdp", p, KindAddition, q}, Relaxed); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "f"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	if err := db.SweepRelations(t.Context(), Relaxed); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "after the sweep", children(p, KindAddition, 0), nil)
	add(Relation{"rdp", p, KindDevice, q})
	if err := db.DeleteManaged(t.Context(), "rdp", q, Relaxed); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "after the deletion", children(p, KindDevice, 0), nil)
}

func TestEvents(t *testing.T) {
	db := openDB(t, t.TempDir()+"/tote.db", Options{Now: clock()})
	src := addManaged(t, db, Managed{Owner: "ann"}).ID
	e := addEvent(t, db, Event{Source: src, Type: "t", Time: 7, Doc: []byte(`{"text":"x"}`)})
	got, err := db.GetEvent(t.Context(), "rdp", e.ID)
	if err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = db.GetEvent(t.Context(), "other", e.ID)
	wantErr(t, err, syscall.ENOENT)
	p := Partial{Received: 4, Length: -1, Range: "0-3/*", Name: "n", Type: "a/b", Owner: "ann", Updated: 100}
	if _, err = db.ChangeEvent(t.Context(), "rdp", e.ID, func(e *Event) error { e.Partial = &p; return nil }, Durable); err != nil {
		t.Fatal(err)
	}
	if got, _ = db.GetEvent(t.Context(), "rdp", e.ID); got.Partial == nil || *got.Partial != p || got.Updated <= e.Updated {
		t.Errorf("with a partial it is %+v", got)
	}
	if old, err := db.OldPartials(t.Context(), 100, 9); err != nil || len(old) != 0 {
		t.Errorf("old at once: %+v, %v", old, err)
	}
	if old, err := db.OldPartials(t.Context(), 101, 9); err != nil || len(old) != 1 || old[0].ID != e.ID || old[0].Partial.Received != 4 {
		t.Errorf("old: %+v, %v", old, err)
	}
	if _, err = db.ChangeEvent(t.Context(), "rdp", e.ID, func(e *Event) error { e.Partial = nil; return nil }, Relaxed); err != nil {
		t.Fatal(err)
	}
	if got, _ = db.GetEvent(t.Context(), "rdp", e.ID); got.Partial != nil {
		t.Errorf("the partial stays: %+v", got.Partial)
	}
	db.ChangeEvent(t.Context(), "rdp", e.ID, func(e *Event) error { e.Partial = &p; return nil }, Relaxed)
	wantErr(t, db.DeleteEvent(t.Context(), "other", e.ID, Relaxed), syscall.ENOENT)
	if err := db.DeleteEvent(t.Context(), "rdp", e.ID, Relaxed); err != nil {
		t.Fatal(err)
	}
	if n, err := db.number(t.Context(), "SELECT count(*) FROM partials"); err != nil || n != 0 {
		t.Errorf("%d partials without their event, %v", n, err)
	}
	_, err = db.ChangeEvent(t.Context(), "rdp", e.ID, func(*Event) error { return errors.New("never asked") }, Relaxed)
	wantErr(t, err, syscall.ENOENT)
	wantSound(t, db)
}

// An attachment is a file with the event's number, in the event's own tenant, as long as it has a name.
func TestEventAttachment(t *testing.T) {
	db := newDB(t)
	other, err := db.EnsureTenant(t.Context(), "other", 0o755, 0, 0, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	e := addEvent(t, db, Event{Type: "t"})
	mark := func(ino Ino) {
		t.Helper()
		if err := db.PatchProps(t.Context(), ino, []Property{{"c8y", "_event", fmt.Sprint(e.ID)}}, nil, "", Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	file := func() Ino {
		t.Helper()
		got, err := db.GetEvent(t.Context(), "rdp", e.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got.File
	}
	mark(mkfile(t, db, other.Root, "foreign").Ino)
	if got := file(); got != 0 {
		t.Errorf("a file of another tenant, %d, is the attachment", got)
	}
	f := mkfile(t, db, RootIno, "f").Ino
	mark(f)
	if got := file(); got != f {
		t.Errorf("the attachment is %d, want %d", got, f)
	}
	for fragment, want := range map[string]int{FragmentBinary: 1, FragmentIncomplete: 0} {
		if n, err := db.CountEvents(t.Context(), EventQuery{Tenant: "rdp", Fragment: fragment}); err != nil || int(n) != want {
			t.Errorf("%s: %d, %v", fragment, n, err)
		}
	}
	if _, err := db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "f", Keep: always}, Relaxed); err != nil {
		t.Fatal(err)
	}
	if got := file(); got != 0 {
		t.Errorf("a file without a name, %d, is the attachment", got)
	}
	db.DropOrphan(t.Context(), f, Relaxed)
}

func TestEventList(t *testing.T) {
	db := openDB(t, t.TempDir()+"/tote.db", Options{Now: clock()})
	ann, bob := addManaged(t, db, Managed{Owner: "ann"}).ID, mkfile(t, db, RootIno, "f").Ino
	if err := db.PatchProps(t.Context(), bob, []Property{{"", "user", `"bob"`}}, nil, "", Relaxed); err != nil {
		t.Fatal(err)
	}
	var e []Event
	for i, ev := range []Event{
		{Source: ann, Type: "a", Time: 30, Doc: []byte(`{"text":"x","frag":{}}`)},
		{Source: bob, Type: "b", Time: 10, Doc: []byte(`{"text":"y","frag":"v"}`)},
		{Source: ann, Type: "b", Time: 20},
		{Source: ann, Type: "a", Time: 20, Doc: []byte(`{"num":5}`)},
		{Source: bob, Type: "a", Time: -5},
	} {
		e = append(e, addEvent(t, db, ev))
		_ = i
	}
	addEvent(t, db, Event{Tenant: "other", Source: ann, Type: "a", Time: 20})
	for name, c := range map[string]struct {
		q    EventQuery
		want []int
	}{
		"newest first":    {EventQuery{}, []int{0, 3, 2, 1, 4}},
		"oldest first":    {EventQuery{Oldest: true}, []int{4, 1, 2, 3, 0}},
		"page":            {EventQuery{Offset: 1, Limit: 2}, []int{3, 2}},
		"behind":          {EventQuery{After: &EventPlace{20, e[3].ID}}, []int{2, 1, 4}},
		"behind, oldest":  {EventQuery{After: &EventPlace{20, e[2].ID}, Oldest: true}, []int{3, 0}},
		"source":          {EventQuery{Source: ann}, []int{0, 3, 2}},
		"type":            {EventQuery{Type: "b"}, []int{2, 1}},
		"source and type": {EventQuery{Source: bob, Type: "a"}, []int{4}},
		"time":            {EventQuery{Time: Span{ptr(int64(10)), ptr(int64(30))}}, []int{3, 2, 1}},
		"until zero":      {EventQuery{Time: Span{nil, ptr(int64(0))}}, []int{4}},
		"created":         {EventQuery{Created: Span{&e[1].Created, &e[3].Created}}, []int{2, 1}},
		"updated":         {EventQuery{Updated: Span{&e[4].Created, nil}}, []int{4}},
		"member":          {EventQuery{Fragment: "frag"}, []int{0, 1}},
		"member's value":  {EventQuery{Fragment: "frag", Value: "v"}, []int{1}},
		"number is none":  {EventQuery{Fragment: "num", Value: "5"}, nil},
		"strange member":  {EventQuery{Fragment: `$."text" OR 1`}, nil},
		"no attachment":   {EventQuery{Fragment: FragmentBinary}, nil},
		"no text":         {EventQuery{Fragment: FragmentBinary, Value: "x"}, nil},
		"owner of object": {EventQuery{Owner: "ann"}, []int{0, 3, 2}},
		"owner of file":   {EventQuery{Owner: "bob"}, []int{1, 4}},
		"owner of none":   {EventQuery{Owner: "eve"}, nil},
	} {
		c.q.Tenant = "rdp"
		if c.q.Limit == 0 {
			c.q.Limit = 9
		}
		got, err := db.EventList(t.Context(), c.q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var found, want []Ino
		for _, g := range got {
			found = append(found, g.ID)
		}
		for _, i := range c.want {
			want = append(want, e[i].ID)
		}
		wantEqual(t, name, found, want)
		n, err := db.CountEvents(t.Context(), c.q)
		if whole := c.q.After == nil && c.q.Offset == 0; err != nil || whole && n != int64(len(want)) {
			t.Errorf("%s: counted %d, %v", name, n, err)
		}
	}
}

func TestTokens(t *testing.T) {
	db := newDB(t)
	now := time.Unix(1000, 0)
	put := func(hash, user string, in time.Duration) {
		t.Helper()
		err := db.PutToken(t.Context(), Token{Hash: []byte(hash), Tenant: "rdp", User: user, Expires: now.Add(in)}, Relaxed)
		if err != nil {
			t.Fatal(err)
		}
	}
	has := func(hash string) bool {
		t.Helper()
		k, err := db.GetToken(t.Context(), []byte(hash), now)
		if err != nil && err != syscall.ENOENT {
			t.Fatal(err)
		}
		return err == nil && k.Tenant == "rdp"
	}
	for _, u := range []User{{Tenant: "rdp", Name: "ann", Hash: "h"}, {Tenant: "rdp", Name: "bob", Hash: "h"}} {
		if err := db.PutUser(t.Context(), u, Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "ann", time.Hour)
	put("b", "bob", time.Hour)
	put("old", "bob", 0)
	if !has("a") || !has("b") || has("old") || has("c") {
		t.Error("the tokens are not those that hold")
	}
	if err := db.PutUser(t.Context(), User{Tenant: "rdp", Name: "ann", Hash: "h", Roles: []string{"reader"}}, Relaxed); err != nil || !has("a") {
		t.Errorf("new roles ended a token, %v", err)
	}
	if err := db.PutUser(t.Context(), User{Tenant: "rdp", Name: "ann", Hash: "new"}, Relaxed); err != nil || has("a") || !has("b") {
		t.Errorf("a new password did not end the token, or another's, %v", err)
	}
	if err := db.DeleteUser(t.Context(), "rdp", "bob", Relaxed); err != nil || has("b") {
		t.Errorf("the user went and the token stays, %v", err)
	}
	for i := range maxTokens + 5 {
		put(fmt.Sprint("n", i), "ann", time.Duration(i+1)*time.Second)
	}
	if has("n4") || !has("n5") {
		t.Error("not the newest tokens are kept")
	}
	if err := db.DeleteToken(t.Context(), []byte("n9"), Relaxed); err != nil || has("n9") {
		t.Errorf("after the logout: %v", err)
	}
	wantErr(t, db.DeleteToken(t.Context(), []byte("n9"), Relaxed), syscall.ENOENT)
	if err := db.ExpireTokens(t.Context(), now.Add(time.Hour), Relaxed); err != nil || has("n99") {
		t.Errorf("expired: %v", err)
	}
}

func TestDeleteTenant(t *testing.T) {
	db := newDB(t)
	tn, err := db.EnsureTenant(t.Context(), "acme", 0o755, 0, 0, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	dir := mkdir(t, db, tn.Root, "d")
	m := addManaged(t, db, Managed{Tenant: "acme"})
	keep := addManaged(t, db, Managed{})
	e := addEvent(t, db, Event{Tenant: "acme", Source: m.ID})
	for _, err := range []error{
		db.PutUser(t.Context(), User{Tenant: "acme", Name: "ann", Hash: "h"}, Relaxed),
		db.PutToken(t.Context(), Token{Hash: []byte("h"), Tenant: "acme", User: "ann", Expires: time.Unix(9e9, 0)}, Relaxed),
		db.PutBSO(t.Context(), BSO{Tenant: "acme", ID: "b", Doc: []byte("{}")}, nil, Relaxed),
		db.AddLock(t.Context(), Lock{Token: "t", Tenant: tn.ID, Path: "/"}, Precondition{}, nil, Relaxed),
		db.PatchProps(t.Context(), tn.Root, []Property{{"x", "y", "z"}}, nil, "", Relaxed),
		db.AddRelations(t.Context(), []Relation{{"acme", m.ID, KindAsset, m.ID}}, Relaxed),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	db.ChangeEvent(t.Context(), "acme", e.ID, func(e *Event) error { e.Partial = &Partial{}; return nil }, Relaxed)
	wantErr(t, db.DeleteTenant(t.Context(), "nobody", Relaxed), syscall.ENOENT)
	wantErr(t, db.DeleteTenant(t.Context(), "acme", Relaxed), syscall.ENOTEMPTY)
	if _, err := db.Rmdir(t.Context(), UnlinkArgs{Parent: tn.Root, Name: "d"}, Relaxed); err != nil {
		t.Fatal(dir, err)
	}
	if err := db.DeleteTenant(t.Context(), "acme", Durable); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]int64{"users": 0, "bso": 0, "locks": 0, "events": 0, "partials": 0, "tokens": 0, "children": 0, "managed": 1, "tenants": 1} {
		if n, err := db.number(t.Context(), "SELECT count(*) FROM "+table); err != nil || n != want {
			t.Errorf("%s: %d rows, want %d, %v", table, n, want, err)
		}
	}
	if _, err := db.GetManaged(t.Context(), "rdp", keep.ID); err != nil {
		t.Error(err)
	}
	again, err := db.EnsureTenant(t.Context(), "acme", 0o755, 0, 0, Relaxed)
	if err != nil || again.Root == tn.Root {
		t.Errorf("again: %+v, %v", again, err)
	}
	if u, err := db.Usage(t.Context(), again.ID); err != nil || u != (Usage{}) {
		t.Errorf("a new tenant holds %+v, %v", u, err)
	}
}
