package restapi

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// listed gives names and ids of a list.
func listed(t *testing.T, a answer) (names, ids []string) {
	t.Helper()
	for _, o := range a.json(t)["managedObjects"].([]any) {
		m := o.(map[string]any)
		names, ids = append(names, m["name"].(string)), append(ids, m["id"].(string))
	}
	return names, ids
}

func TestList_Pages(t *testing.T) {
	r := newRig(t)
	var want []string
	for i := range 12 {
		want = append(want, r.upload(fmt.Sprintf(`{"name":"f%02d"}`, i), "f", "x"))
	}
	var got []string
	next, pages := "/inventory/binaries", 0
	for next != "" {
		a := r.want(200, r.do("GET", next, ""))
		m := a.json(t)
		_, ids := listed(t, a)
		got = append(got, ids...)
		pages++
		r.equal("statistics", m["statistics"], map[string]any{"currentPage": pages, "pageSize": 5, "totalPages": 3})
		if _, has := m["prev"]; has != (pages > 1) {
			t.Errorf("prev on page %d: %v", pages, has)
		}
		next, _ = m["next"].(string)
		if next != "" && !strings.Contains(next, fmt.Sprintf("currentPage=%d", pages+1)) {
			t.Errorf("next is %s", next)
		}
	}
	r.equal("pages", pages, 3)
	if !slices.Equal(got, want) {
		t.Errorf("ids are %v, want %v", got, want)
	}
	m := r.do("GET", "/inventory/binaries?pageSize=4&currentPage=9&withTotalElements=true&withTotalPages=true", "").json(t)
	r.equal("beyond", m["statistics"], map[string]any{"currentPage": 9, "pageSize": 4, "totalPages": 3, "totalElements": 12})
	r.equal("objects", len(m["managedObjects"].([]any)), 0)
	if _, has := m["next"]; has {
		t.Error("next beyond the end")
	}
	m = r.do("GET", "/inventory/binaries?pageSize=99999", "").json(t)
	r.equal("cut", m["statistics"].(map[string]any)["pageSize"], 2000)
	m = r.do("GET", "/inventory/binaries?pageSize=2000&currentPage=2147483647", "").json(t)
	r.equal("far", len(m["managedObjects"].([]any)), 0)
	for _, q := range []string{"pageSize=0", "pageSize=-1", "pageSize=a", "currentPage=0", "currentPage=99999999999", "query=x", "query=(", "q=name"} {
		r.want(422, r.do("GET", "/inventory/binaries?"+q, ""))
	}
}

func TestList_Filters(t *testing.T) {
	r := newRig(t)
	a := r.upload(`{"name":"a","type":"c8y_One","c8y_Global":{}}`, "a", "x")
	b := r.upload(`{"name":"b","type":"c8y_Two","note":"hello"}`, "b", "x")
	c := r.upload(`{"name":"c"}`, "c", "x", "user: root")
	r.put("/d.png", "x")
	for _, tc := range []struct{ query, want string }{
		{"", "a b c d.png"},
		{"ids=" + a + "," + c, "a c"},
		{"ids=" + a + "&ids=" + b + "&ids=4711&ids=x", "a b"},
		{"ids=4711", ""},
		{"ids=", ""},
		{"type=c8y_One", "a"},
		{"type=c8y_*", "a b"},
		{"type=*", "a b c d.png"},
		{"type=*_T*o", "b"},
		{"type=text/plain", "c"},
		{"type=image/png", "d.png"},
		{"owner=root", "c"},
		{"owner=nobody", ""},
		{"owner=mira&type=c8y_Two", "b"},
		{"text=hello", "b"},
		{"text=a", "a"},
		{"text=none", ""},
		{"fragmentType=c8y_Global", "a"},
		{"fragmentType=c8y_IsBinary", "a b c d.png"},
		{"fragmentType=note&ids=" + a, ""},
		{"childAdditionId=1", ""},
		{"unknown=1", "a b c d.png"},
	} {
		names, _ := listed(t, r.want(200, r.do("GET", "/inventory/binaries?pageSize=50&"+tc.query, "")))
		r.equal(tc.query, strings.Join(names, " "), tc.want)
	}
	m := r.do("GET", "/inventory/binaries?pageSize=1&currentPage=2&type="+url.QueryEscape("c8y_*"), "").json(t)
	r.equal("page of a scan", m["statistics"].(map[string]any)["totalPages"], 2)
	r.equal("its object", m["managedObjects"].([]any)[0].(map[string]any)["name"], "b")
	if _, has := m["next"]; has || !strings.Contains(m["prev"].(string), "type=c8y_%2A") {
		t.Errorf("links are %v %v", m["next"], m["prev"])
	}
}

func TestList_OnlyOwnWithoutRole(t *testing.T) {
	r := newRig(t)
	r.upload(`{"name":"a"}`, "a", "x")
	r.upload(`{"name":"mine"}`, "a", "x", "user: owner")
	for query, want := range map[string]string{"": "mine", "?owner=mira": "", "?owner=owner": "mine", "?type=text/*": "mine"} {
		names, _ := listed(t, r.want(200, r.do("GET", "/inventory/binaries"+query, "", "user: owner")))
		r.equal(query, strings.Join(names, " "), want)
	}
}

func TestList_MediaType(t *testing.T) {
	r := newRig(t)
	for accept, want := range map[string]string{
		"Accept: application/json": "application/json",
		"Accept: */*":              "application/vnd.com.nsn.cumulocity.managedObjectCollection+json;ver=0.9;charset=UTF-8",
		"X: none":                  "application/vnd.com.nsn.cumulocity.managedObjectCollection+json;ver=0.9;charset=UTF-8",
	} {
		r.equal(accept, r.want(200, r.do("GET", "/inventory/binaries", "", accept)).header.Get("Content-Type"), want)
	}
}

func TestLinks(t *testing.T) {
	for _, c := range []struct {
		public  string
		trust   bool
		headers string
		want    string
	}{
		{"", false, "Host: files.test:81", "http://files.test:81/inventory"},
		{"https://x.test/p/", false, "Host: files.test", "https://x.test/p/inventory"},
		{"", false, "Host: a.test|X-Forwarded-Host: evil.test|X-Forwarded-Proto: https", "http://a.test/inventory"},
		{"", true, "Host: a.test|X-Forwarded-Host: b.test, c.test|X-Forwarded-Proto: https|X-Forwarded-Prefix: /pre/", "https://b.test/pre/inventory"},
		{"", true, `Host: a.test|X-Forwarded-Host: b"<|X-Forwarded-Proto: javascript|X-Forwarded-Prefix: //x y`, "http://localhost/inventory"},
	} {
		r := newRig(t, func(o *Options) { o.PublicURL, o.TrustForwarded = c.public, c.trust })
		self := r.want(200, r.do("GET", "/inventory/binaries", "", strings.Split(c.headers, "|")...)).json(t)["self"].(string)
		if !strings.HasPrefix(self, c.want) {
			t.Errorf("self is %s, want %s…", self, c.want)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "a", true}, {"a*a", "a", false}, {"a*a", "aa", true}, {"*", "", true},
		{"a*b*c", "axxbyyc", true}, {"a*b*c", "axxcyyb", false}, {"**", "x", true}, {"*b", "ab", true}, {"ab*bc", "abc", false},
	} {
		if got := glob(c.pattern, c.text); got != c.want {
			t.Errorf("glob(%q, %q) is %v", c.pattern, c.text, got)
		}
	}
}

// The number of pages is told where an index knows it or the objects are few, and where it is asked for; links keep it.
func TestList_NumberOfPages(t *testing.T) {
	r := newRig(t)
	const n = 2*countAhead + scanPage
	r.fill(n)
	told := func(m map[string]any) any { return m["statistics"].(map[string]any)["totalPages"] }
	for _, c := range []struct {
		query, user string
		want        any
	}{
		{"", "mira", n / 50},
		{"withTotalPages=true", "mira", n / 50},
		{"owner=mira", "reader", n / 50},
		{"owner=nobody", "reader", 0},
		{"", "owner", 0},
		{"type=text/*", "mira", nil},
		{"type=text/*&withTotalPages=true", "mira", n / 50},
		{"type=text/*&withTotalElements=true", "mira", n / 50},
		{"ids=1,2,3", "mira", 0},
		{"type=none", "mira", 0},
	} {
		next := "/inventory/binaries?pageSize=50&" + c.query
		for pages := 0; next != "" && pages < 3; pages++ {
			m := r.getJSON(next, "user: "+c.user)
			r.equal(fmt.Sprint(c.query, " page ", pages), told(m), c.want)
			next, _ = m["next"].(string)
		}
	}
}
