package restapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"strings"

	"github.com/google/uuid"

	"tote/fs"
)

// storedHeaders are the headers of an upload that a download gives back, kept as the property blobHeaders.
type storedHeaders struct {
	Disposition string            `json:"contentDisposition,omitempty"`
	Cache       string            `json:"cacheControl,omitempty"`
	Encoding    string            `json:"contentEncoding,omitempty"`
	Language    string            `json:"contentLanguage,omitempty"`
	Meta        map[string]string `json:"meta,omitempty"` // names without x-ms-meta-, in lower case
}

func (st storedHeaders) write(h http.Header) {
	for name, v := range map[string]string{"Cache-Control": st.Cache, "Content-Encoding": st.Encoding, "Content-Language": st.Language} {
		if v != "" {
			h.Set(name, headerText(v))
		}
	}
	for name, v := range st.Meta {
		if headerName(name) || strings.HasPrefix(name, "x_rdp") {
			h.Set("x-ms-meta-"+name, headerText(v))
		}
	}
}

func (s *server) storedHeaders(f finder, ino fs.Ino) (storedHeaders, error) {
	var st storedHeaders
	props, err := s.fs.Props(f.ctx, f.actor, ino)
	for _, p := range props {
		if p.Space == "" && p.Name == propHeaders {
			_ = json.Unmarshal([]byte(p.Value), &st) // written by us; anything else means none
		}
	}
	return st, err
}

func headersOf(h http.Header) (storedHeaders, error) {
	st := storedHeaders{
		Disposition: h.Get("x-ms-blob-content-disposition"), Cache: h.Get("x-ms-blob-cache-control"),
		Encoding: h.Get("x-ms-blob-content-encoding"), Language: h.Get("x-ms-blob-content-language"), Meta: map[string]string{},
	}
	size := 0
	for name, values := range h {
		if short, ok := cutPrefixFold(name, "x-ms-meta-"); ok {
			v := strings.Join(values, ",")
			st.Meta[strings.ToLower(short)] = v
			size += len(short) + len(v)
		}
	}
	if size > maxMetadata {
		return st, blobMetadata
	}
	return st, nil
}

// blobPut is one upload to a signed URL.
type blobPut struct {
	s      *server
	r      *http.Request
	claims claims
	actor  *fs.Actor
	key    string
	stored storedHeaders
	writer *fs.Writer
	holder *object // the file that had the key when the upload began, nil for none
}

// serveBlobPut stores a whole blob. Uploads in blocks are refused: their clients fall back to whole ones, or say so.
func (s *server) serveBlobPut(w http.ResponseWriter, r *http.Request, c claims, comp, key string) {
	p := &blobPut{s: s, r: r, claims: c, actor: c.actor(), key: key}
	var info fs.Info
	var err error
	switch comp {
	case "":
		info, err = p.store(w)
	case "block", "blocklist":
		err = blobNoBlocks
	default:
		err = blobQuery
	}
	if err != nil {
		s.failBlob(w, r, err)
		return
	}
	created(w, info, p.writer.MD5())
}

// store checks the request, streams the body and commits it together with its registration.
func (p *blobPut) store(w http.ResponseWriter) (fs.Info, error) {
	h := p.r.Header
	if t := h.Get("x-ms-blob-type"); t != "" && t != "BlockBlob" {
		return fs.Info{}, blobHeader
	}
	var err error
	if p.stored, err = headersOf(h); err != nil {
		return fs.Info{}, err
	}
	sums, err := wantedMD5(h)
	if err != nil {
		return fs.Info{}, err
	}
	in, err := newBody(w, p.r, p.s.opts.MaxFile)
	if err != nil {
		return fs.Info{}, err
	}
	done, err := p.open()
	if err != nil {
		return fs.Info{}, err
	}
	defer done()
	defer p.writer.Abort()
	p.writer.WantMD5()
	if _, err := p.writer.ReadFrom(in); err != nil {
		return fs.Info{}, err
	}
	for _, sum := range sums {
		if !bytes.Equal(sum, p.writer.MD5()) {
			return fs.Info{}, blobMD5
		}
	}
	return p.commit()
}

// wantedMD5 reads the digests that the client announces.
func wantedMD5(h http.Header) ([][]byte, error) {
	var sums [][]byte
	for _, name := range []string{"Content-MD5", "x-ms-blob-content-md5"} {
		v := h.Get(name)
		if v == "" {
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(v)
		if err != nil || len(sum) != 16 {
			return nil, blobHeader
		}
		sums = append(sums, sum)
	}
	return sums, nil
}

func (p *blobPut) find() finder {
	return finder{p.s, context.WithoutCancel(p.r.Context()), readAs(p.actor)}
}

// open finds where the bytes go: to the file that has the key, else to a new one in the directory of its full path.
func (p *blobPut) open() (done func(), err error) {
	find := p.find()
	ctx := find.ctx
	done = func() {}
	p.holder, err = find.target(p.key)
	if err == nil {
		if p.r.Header.Get("If-None-Match") == "*" {
			return done, blobExists // before a long body is read
		}
		p.writer, err = p.s.fs.NewWriter(ctx, p.actor, fs.Target{Ino: p.holder.ino()})
		return done, err
	}
	if !missing(err) {
		return done, err
	}
	p.holder = nil
	if m := p.r.Header.Get("If-Match"); m != "" {
		return done, blobPrecondition
	}
	dir, err := homeOf(p.actor.Tenant, fullPathOr(p.claims.Props, p.key))
	if err != nil {
		return done, err
	}
	if done, err = p.s.ensureDir(ctx, p.actor, dir); err != nil {
		return done, err
	}
	t := fs.Target{Dir: dir, Name: treeName(p.claims.Props, p.key), Alias: true, Key: p.key}
	if p.writer, err = p.s.fs.NewWriter(ctx, p.actor, t); err != nil {
		done()
	}
	return done, err
}

// commit makes the bytes the blob and registers the object in the same transaction. Ids and keys are bound under locks, so that two first
// uploads of one key can't both make a file: the second is told to try again, and then replaces.
func (p *blobPut) commit() (fs.Info, error) {
	find := p.find()
	ids := p.ids()
	defer p.s.locks.lock(p.actor.Tenant, append(ids, p.key)...)()
	now, err := find.target(p.key)
	if missing(err) {
		now, err = nil, nil
	}
	if err != nil {
		return fs.Info{}, err
	}
	if (now == nil) != (p.holder == nil) || now != nil && now.ino() != p.holder.ino() {
		if now != nil && p.r.Header.Get("If-None-Match") == "*" {
			return fs.Info{}, blobExists
		}
		return fs.Info{}, blobBusy
	}
	o, row, err := p.object(find, ids, now)
	if err != nil {
		return fs.Info{}, err
	}
	opts := fs.CommitOptions{ExpectSize: p.r.ContentLength, ContentType: p.contentType()}
	kept := fs.Property{Name: propHeaders, Value: string(encodeJSON(p.stored))}
	shared := now != nil && now.owned && now.id != o.id
	if shared {
		opts.Props = []fs.Property{kept}
	} else {
		opts.Props, opts.ClearSpaces = append(o.properties(), kept), []string{""}
	}
	if p.holder != nil {
		opts.Cond = condition(p.r)
	}
	info, _, err := p.writer.Commit(find.ctx, opts)
	if err != nil {
		return info, err
	}
	return info, p.registered(find, o, row, info, shared)
}

// ids are the ids that the object may get, best first.
func (p *blobPut) ids() []string {
	var ids []string
	if id := p.stored.Meta["binarystreamobjectid"]; validID(id) && id != headerText(p.claims.ID) {
		ids = append(ids, id)
	}
	if p.claims.ID != "" {
		ids = append(ids, p.claims.ID)
	}
	return ids
}

// object decides which object the bytes belong to, and fills it. An id that is bound to another key is left alone. row is the document that
// waited for the bytes, nil for none.
func (p *blobPut) object(find finder, ids []string, holder *object) (o, row *object, err error) {
	var old *object
	id := ""
	for _, candidate := range ids {
		old, err = find.byID(candidate)
		if missing(err) {
			id, old = candidate, nil
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if old.key == p.key || holder != nil && old.inFile && old.ino() == holder.ino() {
			id = candidate
			break
		}
		old = nil
	}
	switch {
	case id != "":
	case holder != nil:
		id, old = holder.id, holder
	default:
		id = uuid.NewString()
	}
	who := stamp{p.claims.acting(), p.s.opts.Now()}
	o = &object{id: id, typ: p.claims.Type, key: p.key, created: who, modified: who}
	if old != nil {
		o.created = old.created
		if !old.inFile {
			row = old
		}
	}
	if o.typ == "" {
		o.typ = defaultType
	}
	o.props = p.properties(id, row)
	if row != nil {
		o.data = row.data
	}
	return o, row, nil
}

// properties are those of the document that waited, under those of the request that made the URL, under those of the metadata headers. Who
// the object belongs to comes from the URL alone: headers can be changed by whoever has it.
func (p *blobPut) properties(id string, row *object) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	if row != nil {
		out = merge(row.props, nil)
	}
	out = merge(out, p.claims.Props)
	delete(out, fs.PropContentType) // comes with the bytes
	for name, value := range p.stored.Meta {
		name = p.spelling(name)
		if strings.HasPrefix(name, "x_rdp") || serverOwned[strings.ToLower(name)] || !printable(name) {
			continue
		}
		switch name {
		case fs.PropUser, fs.PropRole, fs.PropOwnershipData, fs.PropObjectKey, fs.PropFullObjectPath, fs.PropContentType:
			continue
		case "type":
			if value == p.claims.Type {
				continue
			}
		}
		if given, ok := out[name]; ok && headerText(textOf(given)) == value {
			continue // the header only repeats it, as text
		}
		out[name] = json.RawMessage(fs.JSONString(value))
	}
	orSet(out, fs.PropOriginalFileName, path.Base(p.key))
	orSet(out, fs.PropFullObjectPath, p.key)
	orSet(out, fs.PropUser, p.claims.acting())
	orSet(out, fs.PropRole, strings.Join(roleList(p.claims.RoleText), ","))
	orSet(out, fs.PropOwnershipData, strings.Join(roleList(p.claims.OwnerText), ","))
	return out
}

func orSet(m map[string]json.RawMessage, name, value string) {
	if _, ok := m[name]; !ok && value != "" {
		m[name] = json.RawMessage(fs.JSONString(value))
	}
}

// spelling gives a metadata name, which lost its case on the way, the spelling of the request that made the URL.
func (p *blobPut) spelling(name string) string {
	for given := range p.claims.Props {
		if strings.EqualFold(given, name) {
			return given
		}
	}
	return spelling(name)
}

// roleList reads one value, a comma list or the text of a JSON array.
func roleList(text string) []string {
	var list []string
	if json.Unmarshal([]byte(text), &list) == nil {
		return list
	}
	for v := range strings.SplitSeq(text, ",") {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, v)
		}
	}
	return list
}

// registered does what is left once the bytes are there: documents about the key learn of their file, and the one that became the file's
// own goes.
func (p *blobPut) registered(find finder, o, row *object, info fs.Info, shared bool) error {
	docs, tenant := p.s.docs, p.actor.Tenant
	rows, err := docs.BSOsByKey(find.ctx, tenant, p.key)
	if err != nil {
		return err
	}
	for _, b := range rows {
		if b.ID != o.id && b.Ino == 0 {
			b.Ino = info.Ino()
			if err := docs.PutBSO(find.ctx, b, nil); err != nil {
				return err
			}
		}
	}
	if shared {
		b := o.row(tenant)
		b.Ino = info.Ino()
		return docs.PutBSO(find.ctx, b, nil)
	}
	if row == nil {
		return nil
	}
	if err := docs.DeleteBSO(find.ctx, tenant, row.id); err != nil && !errors.Is(err, errAbsent) && !missing(err) {
		return err
	}
	return nil
}

// contentType is the type of the blob.
func (p *blobPut) contentType() string {
	if t := p.r.Header.Get("x-ms-blob-content-type"); t != "" && plainHeader(t) {
		return t
	}
	return rawType(p.r)
}
