package integration

import (
	"encoding/xml"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// davFace is a WebDAV client that knows no more than RFC 4918.
type davFace struct{ s *server }

// Name implements Face.
func (d *davFace) Name() string { return "dav" }

func davURL(path string) string { return "/dav" + escape(path) }

// Put implements Face.
func (d *davFace) Put(path string, data []byte) error {
	if data == nil {
		data = []byte{}
	}
	_, _, err := d.s.do("PUT", davURL(path), data, []int{201, 204})
	return err
}

// Get implements Face.
func (d *davFace) Get(path string) ([]byte, error) {
	out, _, err := d.s.do("GET", davURL(path), nil, []int{200})
	return out, err
}

// Remove implements Face.
func (d *davFace) Remove(path string) error {
	_, _, err := d.s.do("DELETE", davURL(path), nil, []int{204})
	return err
}

// Stat implements Face.
func (d *davFace) Stat(p string) (Info, error) {
	found, err := d.propfind(p, "0")
	if err != nil {
		return Info{}, err
	}
	return found[0].info(), nil
}

// Mkdir implements Treer.
func (d *davFace) Mkdir(path string) error {
	_, _, err := d.s.do("MKCOL", davURL(path), nil, []int{201})
	return err
}

// List implements Treer.
func (d *davFace) List(p string) ([]string, error) {
	found, err := d.propfind(p, "1")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range found {
		if r.path() != path.Clean("/dav"+p) {
			names = append(names, path.Base(r.path()))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Move implements Treer.
func (d *davFace) Move(old, new string, overwrite bool) error {
	return d.transfer("MOVE", old, new, overwrite)
}

// Copy implements Copier.
func (d *davFace) Copy(old, new string, overwrite bool) error {
	return d.transfer("COPY", old, new, overwrite)
}

func (d *davFace) transfer(method, old, new string, overwrite bool) error {
	flag := "F"
	if overwrite {
		flag = "T"
	}
	_, _, err := d.s.do(method, davURL(old), nil, []int{201, 204}, "Destination", d.s.base+davURL(new), "Overwrite", flag)
	return err
}

// davResponse is one member of a multistatus.
type davResponse struct {
	Href string `xml:"href"`
	Prop []struct {
		Status string `xml:"status"`
		Prop   struct {
			Length string `xml:"getcontentlength"`
			ETag   string `xml:"getetag"`
			Type   struct {
				Collection *struct{} `xml:"collection"`
			} `xml:"resourcetype"`
		} `xml:"prop"`
	} `xml:"propstat"`
}

func (d *davFace) propfind(p, depth string) ([]davResponse, error) {
	out, _, err := d.s.do("PROPFIND", davURL(p), nil, []int{207}, "Depth", depth)
	if err != nil {
		return nil, err
	}
	var m struct {
		Response []davResponse `xml:"response"`
	}
	if err := xml.Unmarshal(out, &m); err != nil {
		return nil, err
	}
	return m.Response, nil
}

// path is the decoded path of the resource, with the share's prefix.
func (r davResponse) path() string {
	u, err := url.Parse(r.Href)
	if err != nil {
		return r.Href
	}
	return strings.TrimSuffix(u.Path, "/")
}

func (r davResponse) info() (i Info) {
	for _, p := range r.Prop {
		if !strings.Contains(p.Status, " 200") {
			continue
		}
		i.Dir = p.Prop.Type.Collection != nil
		i.ETag = p.Prop.ETag
		if n, err := strconv.ParseInt(p.Prop.Length, 10, 64); err == nil && !i.Dir {
			i.Size = n
		}
	}
	return i
}
