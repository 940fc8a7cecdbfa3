package restapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"tote/fs"
)

// maxMetadata is how many bytes the metadata headers of an upload may have together.
const maxMetadata = 8 << 10

// prepareUpload hands out a URL to which the client puts the bytes of an object, and the headers to send along. Nothing is stored.
func (c *call) prepareUpload(req *bsoRequest) (bsoResult, error) {
	in, err := req.subject()
	if err != nil {
		return bsoResult{}, err
	}
	if !c.actor.HasRole(bsoCreators...) {
		return bsoResult{}, bsoDenied("role")
	}
	key, err := in.keyOrID()
	if err != nil {
		return bsoResult{}, err
	}
	if in.id, err = c.idFor(in.id, key); err != nil {
		return bsoResult{}, err
	}
	typ := in.typeOr(defaultType)
	if c.s.opts.Direct != nil {
		props, err := c.directUpload(key)
		return prepared(c.actor.Tenant, in.id, typ, props), err
	}
	file := originalOr(textOf(in.props[fs.PropOriginalFileName]), key)
	headers, err := c.uploadHeaders(in, typ, file)
	if err != nil {
		return bsoResult{}, err
	}
	g := grant{perms: permUpload, scope: scopeBlob, container: container(c.actor.Tenant, typ), key: key, rscd: shortAttachment(file)}
	props := map[string]any{
		fs.PropObjectKey: key,
		"headers":        headers,
		"uploadURL":      c.s.signedURL(c.base, g, c.uploadClaims(in, typ)),
	}
	return prepared(c.actor.Tenant, in.id, typ, props), nil
}

// idFor is the id of what is uploaded to a key: the one that was given, else that of the object that has the key already, else a new one. The
// caller must be permitted to touch what is there.
func (c *call) idFor(given, key string) (string, error) {
	o, err := c.find().byKey(key)
	if missing(err) {
		return headerOr(given, uuid.NewString()), nil
	}
	if err == nil {
		err = c.permit(o)
	}
	if err != nil {
		return "", err
	}
	return headerOr(given, o.id), nil
}

// prepared wraps what a prepare operation gives. Clients look for it in two places, so it stands in both, and data holds nothing else.
func prepared(tenant, id, typ string, props map[string]any) bsoResult {
	out := []bsoOut{{ID: id, Type: typ, System: &bsoSystem{tenant}, Properties: props, Data: map[string]any{"properties": props}}}
	return bsoResult{objects: &out, total: 1}
}

// claims are the parts of a signed URL that say who asked.
func (c *call) claims() claims {
	cl := claims{
		Tenant: c.actor.Tenant, User: c.actor.User, Roles: c.actor.Roles, Ownership: c.actor.Ownership,
		RoleText: c.header.Get("x-rdp-userRoles"), OwnerText: c.header.Get("x-rdp-ownershipData"),
		Delegate: c.ctx.Value(delegateKey{}) != nil,
	}
	if c.user != cl.User {
		cl.As = c.user
	}
	return cl
}

// uploadClaims add what an upload becomes.
func (c *call) uploadClaims(in subject, typ string) claims {
	cl := c.claims()
	cl.ID, cl.Type, cl.Props = in.id, typ, in.props
	return cl
}

// container names the part of the store that a URL shows. Keys are one name space per tenant; the container only tells types apart.
func container(tenant, typ string) string {
	switch strings.ToLower(typ) {
	case defaultType:
		return tenant + "-media-assets"
	case "seeddatastream":
		return tenant + "-seed-data"
	}
	return tenant + "-" + strings.ToLower(typ)
}

func fullPathOr(props map[string]json.RawMessage, key string) string {
	if p := textOf(props[fs.PropFullObjectPath]); p != "" {
		return p
	}
	return key
}

// uploadHeaders are the headers the client sends along with the bytes: an array of objects with one member each, every name once. file is the
// name that a download of the object proposes.
func (c *call) uploadHeaders(in subject, typ, file string) ([]map[string]string, error) {
	var out []map[string]string
	seen := map[string]bool{}
	add := func(name, value string) {
		if low := strings.ToLower(name); !seen[low] {
			seen[low] = true
			out = append(out, map[string]string{name: headerText(value)})
		}
	}
	add("x-ms-blob-type", "BlockBlob")
	add("x-ms-blob-content-disposition", shortAttachment(file))
	add("x-ms-meta-binarystreamobjectid", in.id)
	add("x-ms-meta-type", typ)
	add("x-ms-meta-x_rdp_tenantid", c.actor.Tenant)
	add("x-ms-meta-x_rdp_clientid", headerOr(c.header.Get("x-rdp-clientId"), "rdpclient"))
	for _, h := range [][2]string{{"userId", "userid"}, {"userRoles", "userroles"}, {"ownershipData", "ownershipdata"}} {
		if v := c.header.Get("x-rdp-" + h[0]); v != "" {
			add("x-ms-meta-x_rdp_"+h[1], v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.props)) {
		value := textOf(in.props[name])
		switch {
		case value == "" || !headerName(name):
		case name == fs.PropOriginalFileName:
			add("x-ms-meta-originalfilename", value)
		default:
			add("x-ms-meta-"+name, value)
		}
	}
	if size(out) > maxMetadata {
		return nil, bsoMalformed("the properties are larger than the 8 KiB that headers can carry")
	}
	return out, nil
}

func headerOr(v, otherwise string) string {
	if v == "" {
		return otherwise
	}
	return v
}

// headerName tells whether a property can travel in a header; others travel in the URL only.
func headerName(name string) bool {
	return strings.Trim(name, tokenChars+".") == "" && !strings.HasPrefix(strings.ToLower(name), "x_rdp")
}

func size(headers []map[string]string) int {
	n := 0
	for _, h := range headers {
		for name, value := range h {
			if strings.HasPrefix(name, "x-ms-meta-") {
				n += len(name) - len("x-ms-meta-") + len(value)
			}
		}
	}
	return n
}

// prepareDownload hands out a URL from which the bytes of an object can be fetched.
func (c *call) prepareDownload(req *bsoRequest) (bsoResult, error) {
	in, err := req.subject()
	if err != nil {
		return bsoResult{}, err
	}
	o, err := c.wanted(in)
	if missing(err) {
		return bsoResult{}, bsoUnknown(headerOr(in.id, in.key), in.typeOr(defaultType))
	}
	if err != nil {
		return bsoResult{}, err
	}
	if err := c.mayRead(o); err != nil {
		return bsoResult{}, err
	}
	id := in.id
	if id == "" {
		id = uuid.NewString()
	}
	url, err := c.downloadURL(o)
	if err != nil {
		return bsoResult{}, err
	}
	props := map[string]any{fs.PropObjectKey: o.key, "downloadURL": url}
	return prepared(c.actor.Tenant, id, in.typeOr(o.typ), props), nil
}

// wanted resolves what a download is of. An objectKey decides alone; without one the id is tried as a key first. What has no bytes is not wanted.
func (c *call) wanted(in subject) (*object, error) {
	find := c.find()
	if in.key != "" {
		return find.bytesByKey(in.key)
	}
	if o, err := find.fileByKey(in.id); !missing(err) {
		return o, err
	}
	o, err := find.byID(in.id)
	if err == nil && o.file == nil {
		err = errAbsent
	}
	if !missing(err) {
		return o, err
	}
	return find.bytesByKey(in.id)
}
