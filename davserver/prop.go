package davserver

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tote/fs"
)

// msNS is the namespace of the times that Windows sets.
const msNS = "urn:schemas-microsoft-com:"

// toteNS shows the core's own properties (objectKey, user, role, …) to WebDAV clients. They are answered when asked for by name.
const toteNS = "urn:tote:properties"

// membersNS shows the members of managed objects, in the same way.
const membersNS = "urn:tote:members"

// ownSpace tells whether a namespace shows what the core or REST keeps, as plain text.
func ownSpace(ns string) bool { return ns == toteNS || ns == membersNS }

// deadPrefix marks the XML namespaces that would collide with spaces the core uses for itself.
const deadPrefix = "xmlns:"

// spaceOf is where the properties of an XML namespace are kept. Most namespaces are their own space; the core's own spaces ("" those
// of REST and of digests) hold other things and must not be reached under their names.
func spaceOf(ns string) string {
	switch {
	case ns == toteNS:
		return ""
	case ns == membersNS:
		return fs.SpaceManaged
	case ns == "" || ns == fs.SpaceManaged || ns == fs.SpaceDigests || strings.HasPrefix(ns, deadPrefix):
		return deadPrefix + ns
	}
	return ns
}

// nsOf undoes spaceOf; ok is false for a space that is no XML namespace.
func nsOf(space string) (ns string, ok bool) {
	switch space {
	case "":
		return toteNS, true
	case fs.SpaceManaged:
		return membersNS, true
	case fs.SpaceDigests:
		return "", false
	}
	return strings.TrimPrefix(space, deadPrefix), true
}

// toProperty is a dead property in the core's form.
func toProperty(n name, inner string) fs.Property {
	p := fs.Property{Space: spaceOf(n.Space), Name: n.Local, Value: inner}
	if ownSpace(n.Space) {
		p.Value = fs.JSONString(plainText(inner))
	}
	return p
}

// fromProperty gives name and inner XML of what the core keeps; ok is false when WebDAV does not show it.
func fromProperty(p fs.Property) (n name, inner string, ok bool) {
	ns, ok := nsOf(p.Space)
	if !ok || !xmlName(p.Name) || ns == membersNS && fs.Internal(p.Name) {
		return name{}, "", false
	}
	if ownSpace(ns) {
		return name{Space: ns, Local: p.Name}, string(appendText(nil, fs.FromJSONString(p.Value))), true
	}
	return name{Space: ns, Local: p.Name}, p.Value, true
}

// xmlName tells whether a property's name can be an element's name; JSON members may be called anything.
func xmlName(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r >= 0x80
		if !letter && (i == 0 || r != '-' && r != '.' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != ""
}

// plainText is the character data of inner XML.
func plainText(inner string) string {
	e, err := parseXML(strings.NewReader("<x>" + inner + "</x>"))
	if err != nil || e == nil {
		return inner
	}
	return e.text()
}

// entry is one resource of a PROPFIND answer.
type entry struct {
	q     *request
	path  string
	info  *fs.Info
	dead  []fs.Property
	locks []fs.Lock // that cover it
}

// liveProp is a property whose value follows from the resource.
type liveProp struct {
	name  name
	all   bool                // part of allprop
	file  bool                // only files have it
	dir   bool                // only collections have it
	dull  func(e *entry) bool // says nothing new: left out of allprop, where it would only make a large listing larger
	named bool                // it was asked for beside allprop
	add   func(b []byte, e *entry) []byte
}

// liveProps is the table of live properties in the order in which they are answered. supportedlock and the quota are left out of allprop:
// they say the same for every entry and would double the size of a listing. Some are in it only where they say something (dull).
func liveProps() []liveProp {
	return []liveProp{
		{name: dav("resourcetype"), all: true, add: addResourceType},
		{name: displayName, all: true, dull: unnamed, add: addDisplayName},
		{name: dav("getcontentlength"), all: true, file: true, add: addLength},
		{name: dav("getcontenttype"), all: true, file: true, dull: untyped, add: addType},
		{name: dav("getetag"), all: true, add: func(b []byte, e *entry) []byte { return appendText(b, e.info.ETag()) }},
		{name: dav("getlastmodified"), all: true, add: addModified},
		{name: dav("creationdate"), all: true, add: addCreated},
		{name: dav("lockdiscovery"), all: true, dull: unlocked, add: addLocks},
		{name: dav("supportedlock"), add: addSupportedLock},
		{name: dav("quota-available-bytes"), dir: true, add: addAvailable},
		{name: dav("quota-used-bytes"), dir: true, add: addUsed},
		{name: dav("sync-token"), dir: true, add: addSyncToken},
		{name: dav("supported-report-set"), dir: true, add: addReports},
		{name: name{Space: msNS, Local: "Win32LastModifiedTime"}, add: addModified},
		{name: name{Space: msNS, Local: "Win32CreationTime"}, add: addWin32Created},
	}
}

// displayName is a live property that a client may set (RFC 4918 section 15.2); what it sets is kept like a dead one.
var displayName = dav("displayname")

// protected tells whether a client may not set a property itself. Setting one of the times is another matter: see settable.
func protected(n name) bool {
	if n == displayName {
		return false
	}
	return n == ocChecksums || n.Space == membersNS && fs.Internal(n.Local) || slices.ContainsFunc(liveProps(), func(p liveProp) bool { return p.name == n })
}

// of tells whether the resource has the property.
func (p *liveProp) of(e *entry) bool {
	dir := e.info.IsDir()
	return !(p.file && dir) && !(p.dir && !dir)
}

func addResourceType(b []byte, e *entry) []byte {
	if e.info.IsDir() {
		return append(b, "<D:collection/>"...)
	}
	return b
}

// unnamed says that nobody gave the resource a name for display: the one in its URL is all there is.
func unnamed(e *entry) bool { return shownAs(e) == nil }

// untyped says that nothing is known about the type.
func untyped(e *entry) bool { return e.info.ContentType() == "application/octet-stream" }

func unlocked(e *entry) bool { return len(e.locks) == 0 }

// shownAs finds the name that somebody gave the resource for display, nil when nobody did.
func shownAs(e *entry) *fs.Property {
	for i := range e.dead {
		if p := &e.dead[i]; p.Space == davNS && p.Name == displayName.Local {
			return p
		}
	}
	return nil
}

// addDisplayName shows the name that somebody gave the resource for display, else the one in its URL.
func addDisplayName(b []byte, e *entry) []byte {
	if p := shownAs(e); p != nil {
		return append(b, p.Value...)
	}
	return appendText(b, e.info.Name())
}

func addLength(b []byte, e *entry) []byte { return strconv.AppendInt(b, e.info.Size(), 10) }

func addType(b []byte, e *entry) []byte { return appendText(b, e.info.ContentType()) }

func addModified(b []byte, e *entry) []byte {
	return e.info.ModTime().UTC().AppendFormat(b, http.TimeFormat)
}

// addCreated leaves the fraction out: clients choke on it.
func addCreated(b []byte, e *entry) []byte {
	return e.info.Created().UTC().AppendFormat(b, "2006-01-02T15:04:05Z")
}

func addWin32Created(b []byte, e *entry) []byte {
	return e.info.Created().UTC().AppendFormat(b, http.TimeFormat)
}

func addLocks(b []byte, e *entry) []byte {
	for i := range e.locks {
		b = e.q.appendLock(b, &e.locks[i])
	}
	return b
}

func addSupportedLock(b []byte, _ *entry) []byte {
	for _, scope := range []string{"exclusive", "shared"} {
		b = append(b, "<D:lockentry><D:lockscope><D:"...)
		b = append(b, scope...)
		b = append(b, "/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"...)
	}
	return b
}

func addAvailable(b []byte, e *entry) []byte {
	st, err := e.q.h.fsys.StatFS(e.q.ctx, e.q.actor)
	if err != nil {
		return append(b, '0')
	}
	return strconv.AppendUint(b, st.Bavail*uint64(st.Bsize), 10)
}

func addUsed(b []byte, e *entry) []byte {
	st, err := e.q.h.fsys.StatFS(e.q.ctx, e.q.actor)
	if err != nil {
		return append(b, '0')
	}
	return strconv.AppendUint(b, (st.Blocks-st.Bfree)*uint64(st.Bsize), 10)
}

// stamp names the time of a resource that a property stands for.
type stamp int

const (
	noStamp stamp = iota
	modified
	born
)

// stampOf tells which time a property sets: getlastmodified, the Unix seconds of lastmodified that sync tools send, and those that Windows sets.
func stampOf(n name) stamp {
	switch n {
	case dav("getlastmodified"), dav("lastmodified"), name{Space: msNS, Local: "Win32LastModifiedTime"}:
		return modified
	case dav("creationdate"), name{Space: msNS, Local: "Win32CreationTime"}:
		return born
	}
	return noStamp
}

// parseStamp reads a time in any of the forms that clients use: HTTP, RFC 3339, Unix seconds.
func parseStamp(value string) (ns int64, err error) {
	value = strings.TrimSpace(value)
	if t, err := http.ParseTime(value); err == nil && t.Unix() > 0 && t.Unix() < maxUnix {
		return t.UnixNano(), nil
	}
	if t, err := time.Parse(time.RFC3339, value); err == nil && t.Unix() > 0 && t.Unix() < maxUnix {
		return t.UnixNano(), nil
	}
	if value != "" {
		if ns, err = ocMtime(value); err == nil {
			return ns, nil
		}
	}
	return 0, refuse(http.StatusConflict, "the value is not a time")
}
