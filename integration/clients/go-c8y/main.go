// Command goc8y uses the inventory and event APIs with the Go client of the platform that they imitate. It ends with 0 when all is as the client
// expects.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/reubenmiller/go-c8y/pkg/c8y"
	"github.com/reubenmiller/go-c8y/pkg/c8y/binary"
)

func main() {
	client := c8y.NewClient(nil, os.Getenv("TOTE_URL"), os.Getenv("TOTE_TENANT"), os.Getenv("TOTE_USER"), os.Getenv("TOTE_PASSWORD"), true)
	t := &test{c: client, ctx: context.Background(), dir: os.Getenv("TOTE_DIR")}
	for i, step := range []func() error{t.login, t.token, t.file, t.reader, t.withBinary, t.lists, t.objects, t.events, t.eventBinary, t.errors} {
		if err := step(); err != nil {
			fmt.Fprintf(os.Stderr, "step %d: %v\n", i, err)
			os.Exit(1)
		}
	}
}

type test struct {
	c   *c8y.Client
	ctx context.Context
	dir string
}

// want compares.
func want(what string, got, wanted any) error {
	if g, w := fmt.Sprint(got), fmt.Sprint(wanted); g != w {
		return fmt.Errorf("%s is %.200s, want %.200s", what, g, w)
	}
	return nil
}

func status(r *c8y.Response, err error, code int) error {
	if err != nil && code < 300 {
		return err
	}
	if r == nil {
		return fmt.Errorf("no answer: %w", err)
	}
	return want("status", r.StatusCode(), code)
}

// local makes a file of the client's machine.
func (t *test) local(name, content string) string {
	path := filepath.Join(t.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		panic(err)
	}
	return path
}

func read(path string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(path)
	return string(b), errors.Join(err, os.RemoveAll(filepath.Dir(path)))
}

func (t *test) login() error {
	tenant, _, err := t.c.Tenant.GetCurrentTenant(t.ctx)
	if err != nil {
		return err
	}
	user, _, err := t.c.User.GetCurrentUser(t.ctx)
	if err != nil {
		return err
	}
	options, _, err := t.c.Tenant.GetLoginOptions(t.ctx)
	if err != nil || len(options.LoginOptions) < 2 {
		return fmt.Errorf("login options: %+v, %w", options, err)
	}
	return errors.Join(want("tenant", tenant.Name, t.c.TenantName), want("user", user.Username, t.c.Username), want("first option", options.LoginOptions[0].Type, "BASIC"))
}

// token logs in as the client does when it is told to use tokens, by itself and by the request that the login options name.
func (t *test) token() error {
	options, _, err := t.c.Tenant.GetLoginOptions(t.ctx)
	if err != nil {
		return err
	}
	for _, request := range []string{"", options.LoginOptions[1].InitRequest} {
		c := c8y.NewClient(nil, os.Getenv("TOTE_URL"), os.Getenv("TOTE_TENANT"), os.Getenv("TOTE_USER"), os.Getenv("TOTE_PASSWORD"), true)
		if err := c.LoginUsingOAuth2(t.ctx, strings.ReplaceAll(request, "tenant_id=rdp", "tenant_id="+c.TenantName)); err != nil {
			return err
		}
		user, _, err := c.User.GetCurrentUser(t.ctx)
		if err != nil {
			return err
		}
		if err := errors.Join(want("user", user.Username, os.Getenv("TOTE_USER")), want("a token", c.Token != "", true), want("version", c.Version, "1020.0.0")); err != nil {
			return err
		}
	}
	return nil
}

// file uploads a file of the disk: the part has a name and a type.
func (t *test) file() error {
	content := random(300_000)
	f, err := os.Open(t.local("notes.txt", content))
	if err != nil {
		return err
	}
	defer f.Close()
	bf, err := binary.NewBinaryFile(binary.WithReader(f), binary.WithName("notes.txt"), binary.WithType("text/plain"), binary.WithGlobal())
	if err != nil {
		return err
	}
	mo, r, err := t.c.Inventory.CreateBinary(t.ctx, bf)
	if err := status(r, err, 201); err != nil {
		return err
	}
	if !strings.HasSuffix(mo.Self, "/inventory/binaries/"+mo.ID) || mo.Name != "notes.txt" {
		return fmt.Errorf("made %+v", mo)
	}
	got, err := read(t.c.Inventory.DownloadBinary(t.ctx, mo.ID))
	if err := errors.Join(err, want("bytes", got, content)); err != nil {
		return err
	}
	if mo, r, err = t.c.Inventory.UpdateBinary(t.ctx, mo.ID, strings.NewReader("new bytes")); status(r, err, 201) != nil {
		return status(r, err, 201)
	}
	got, err = read(t.c.Inventory.DownloadBinary(t.ctx, mo.ID))
	if err := errors.Join(err, want("new bytes", got, "new bytes")); err != nil {
		return err
	}
	r, err = t.c.Inventory.DeleteBinary(t.ctx, mo.ID)
	if err := status(r, err, 204); err != nil {
		return err
	}
	_, r, err = t.c.Inventory.GetManagedObject(t.ctx, mo.ID, nil)
	return status(r, err, 404)
}

// reader uploads what has no name: the part has neither name nor type.
func (t *test) reader() error {
	bf, err := binary.NewBinaryFile(binary.WithReader(strings.NewReader("a,b\n")), binary.WithName("t.csv"), binary.WithType("text/csv"), binary.WithProperty("custom_attribute", false))
	if err != nil {
		return err
	}
	mo, r, err := t.c.Inventory.CreateBinary(t.ctx, bf)
	if err := status(r, err, 201); err != nil {
		return err
	}
	again, _, err := t.c.Inventory.GetManagedObject(t.ctx, mo.ID, nil)
	if err != nil {
		return err
	}
	return errors.Join(want("name", again.Name, "t.csv"), want("type", again.Type, "text/csv"), want("content type", again.Item.Get("contentType").String(), "text/csv"),
		want("member", again.Item.Get("custom_attribute").Raw, "false"), want("binary", again.Item.Get("c8y_IsBinary").Exists(), true),
		want("self", strings.HasSuffix(again.Self, "/inventory/managedObjects/"+mo.ID), true))
}

// withBinary makes an object that a binary belongs to, as firmware and software are made. With cascade both go.
func (t *test) withBinary() error {
	bf, err := binary.NewBinaryFile(binary.WithReader(strings.NewReader("firmware")), binary.WithName("fw.bin"))
	if err != nil {
		return err
	}
	url := ""
	mo, r, err := t.c.Inventory.CreateWithBinary(t.ctx, bf, func(u string) interface{} {
		url = u
		return map[string]any{"name": "fw", "type": "c8y_FirmwareBinary", "c8y_Firmware": map[string]any{"url": u, "version": "1"}}
	})
	if err := status(r, err, 201); err != nil {
		return err
	}
	mo, _, err = t.c.Inventory.GetManagedObject(t.ctx, mo.ID, nil)
	if err != nil {
		return err
	}
	refs := mo.ChildAdditions.References
	if len(refs) != 1 || mo.Item.Get("c8y_Firmware.url").String() != url || !strings.HasSuffix(url, "/inventory/binaries/"+refs[0].ManagedObject.ID) {
		return fmt.Errorf("made %s with %+v", url, mo)
	}
	list, _, err := t.c.Inventory.GetChildAdditions(t.ctx, mo.ID, nil)
	if err != nil || len(list.References) != 1 {
		return fmt.Errorf("children: %+v, %w", list, err)
	}
	second, err := binary.NewBinaryFile(binary.WithReader(strings.NewReader("patch")), binary.WithName("patch.bin"))
	if err != nil {
		return err
	}
	version, r, err := t.c.Inventory.CreateChildAdditionWithBinary(t.ctx, mo.ID, second, func(u string) interface{} {
		return map[string]any{"type": "c8y_FirmwareBinary", "c8y_Patch": map[string]any{"url": u}}
	})
	if err := status(r, err, 201); err != nil || version.ID == "" {
		return fmt.Errorf("a child with a binary: %+v, %w", version, err)
	}
	yes := true
	r, err = t.c.Inventory.DeleteWithOptions(t.ctx, mo.ID, &c8y.ManagedObjectDeleteOptions{Cascade: &yes})
	if err := status(r, err, 204); err != nil {
		return err
	}
	_, r, err = t.c.Inventory.GetManagedObject(t.ctx, refs[0].ManagedObject.ID, nil)
	return status(r, err, 404)
}

func (t *test) lists() error {
	for i := range 7 {
		bf, err := binary.NewBinaryFile(binary.WithReader(bytes.NewReader([]byte{byte(i)})), binary.WithName("list"+strconv.Itoa(i)), binary.WithType("go_list"))
		if err != nil {
			return err
		}
		if _, r, err := t.c.Inventory.CreateBinary(t.ctx, bf); status(r, err, 201) != nil {
			return err
		}
	}
	opt := &c8y.ManagedObjectOptions{Type: "go_list", PaginationOptions: c8y.PaginationOptions{PageSize: 3, WithTotalPages: true}}
	list, _, err := t.c.Inventory.GetBinaries(t.ctx, opt)
	if err != nil {
		return err
	}
	if err := errors.Join(want("objects", len(list.ManagedObjects), 3), want("page size", *list.Statistics.PageSize, 3), want("pages", *list.Statistics.TotalPages, 3)); err != nil {
		return err
	}
	ids := []string{list.ManagedObjects[0].ID, list.ManagedObjects[2].ID}
	all := t.c.Inventory.ExpandCollection(t.ctx, list, 10)
	named, _, err := t.c.Inventory.GetManagedObjects(t.ctx, &c8y.ManagedObjectOptions{Ids: ids})
	if err != nil {
		return err
	}
	query, _, err := t.c.Inventory.GetManagedObjects(t.ctx, &c8y.ManagedObjectOptions{Query: "$filter=(has(c8y_IsBinary) and (name eq 'list*')) $orderby=name desc", PaginationOptions: c8y.PaginationOptions{PageSize: 100}})
	if err != nil || len(query.ManagedObjects) == 0 {
		return fmt.Errorf("query: %+v, %w", query, err)
	}
	return errors.Join(want("expanded", len(all.ManagedObjects), 7), want("by ids", len(named.ManagedObjects), 2), want("queried", len(query.ManagedObjects), 7), want("first", query.ManagedObjects[0].Name, "list6"))
}

func (t *test) objects() error {
	device, r, err := t.c.Inventory.CreateDevice(t.ctx, "go device")
	if err := status(r, err, 201); err != nil {
		return err
	}
	found, _, err := t.c.Inventory.GetDevicesByName(t.ctx, "go device", c8y.NewPaginationOptions(5))
	if err != nil || len(found.ManagedObjects) != 1 {
		return fmt.Errorf("devices: %+v, %w", found, err)
	}
	changed, _, err := t.c.Inventory.Update(t.ctx, device.ID, map[string]any{"name": "renamed", "c8y_Notes": "n"})
	if err := errors.Join(err, want("name", changed.Name, "renamed")); err != nil {
		return err
	}
	r, err = t.c.Inventory.Delete(t.ctx, device.ID)
	return status(r, err, 204)
}

// device makes a source of events.
func (t *test) device() (string, error) {
	mo, _, err := t.c.Inventory.CreateDevice(t.ctx, "source")
	return mo.ID, err
}

func (t *test) event(source string) (*c8y.Event, error) {
	e, r, err := t.c.Event.Create(t.ctx, c8y.Event{Source: c8y.NewSource(source), Time: c8y.NewTimestamp(time.Now()), Type: "go_Event", Text: "made by Go"})
	return e, status(r, err, 201)
}

func (t *test) events() error {
	source, err := t.device()
	if err != nil {
		return err
	}
	e, err := t.event(source)
	if err != nil {
		return err
	}
	list, _, err := t.c.Event.GetEvents(t.ctx, &c8y.EventCollectionOptions{Source: source, Type: "go_Event", DateFrom: time.Now().Add(-time.Hour).Format(time.RFC3339Nano)})
	if err != nil || len(list.Events) != 1 || list.Events[0].ID != e.ID || list.Events[0].Source.ID != source {
		return fmt.Errorf("list: %+v, %w", list, err)
	}
	changed, _, err := t.c.Event.Update(t.ctx, e.ID, map[string]any{"text": "changed", "fragment": 1})
	if err := errors.Join(err, want("text", changed.Text, "changed")); err != nil {
		return err
	}
	if r, err := t.c.Event.Delete(t.ctx, e.ID); status(r, err, 204) != nil {
		return err
	}
	if _, err := t.event(source); err != nil {
		return err
	}
	r, err := t.c.Event.DeleteEvents(t.ctx, &c8y.EventCollectionOptions{Source: source})
	if err := status(r, err, 204); err != nil {
		return err
	}
	list, _, err = t.c.Event.GetEvents(t.ctx, &c8y.EventCollectionOptions{Source: source})
	return errors.Join(err, want("left", len(list.Events), 0))
}

func (t *test) eventBinary() error {
	source, err := t.device()
	if err != nil {
		return err
	}
	e, err := t.event(source)
	if err != nil {
		return err
	}
	b, r, err := t.c.Event.CreateBinary(t.ctx, t.local("photo.txt", "photo"), e.ID)
	if err := status(r, err, 201); err != nil {
		return err
	}
	if err := errors.Join(want("source", b.Source, e.ID), want("self", strings.HasSuffix(b.Self, "/event/events/"+e.ID+"/binaries"), true), want("length", b.Length, 5)); err != nil {
		return err
	}
	if got, err := read(t.c.Event.DownloadBinary(t.ctx, e.ID)); got != "photo" {
		return fmt.Errorf("downloaded %q, %w", got, err)
	}
	if _, r, err := t.c.Event.CreateBinary(t.ctx, t.local("photo.txt", "again"), e.ID); r == nil || r.StatusCode() != 409 {
		return fmt.Errorf("a second one: %v, %w", r, err)
	}
	if _, r, err := t.c.Event.UpdateBinary(t.ctx, e.ID, t.local("other.txt", "other")); status(r, err, 201) != nil {
		return err
	}
	if got, err := read(t.c.Event.DownloadBinary(t.ctx, e.ID)); got != "other" {
		return fmt.Errorf("downloaded %q, %w", got, err)
	}
	if r, err := t.c.Event.DeleteBinary(t.ctx, e.ID); status(r, err, 204) != nil {
		return err
	}
	if _, err := t.c.Event.DownloadBinary(t.ctx, e.ID); err == nil {
		return errors.New("a deleted attachment can be downloaded")
	}
	return nil
}

func (t *test) errors() error {
	_, r, err := t.c.Inventory.GetManagedObject(t.ctx, "4711000", nil)
	if err := status(r, err, 404); err != nil {
		return err
	}
	if !strings.Contains(err.Error(), "inventory/Not Found") {
		return fmt.Errorf("the client does not understand the error: %w", err)
	}
	stranger := c8y.NewClient(nil, os.Getenv("TOTE_URL"), os.Getenv("TOTE_TENANT"), "nobody", "wrong", true)
	_, r, err = stranger.Tenant.GetCurrentTenant(t.ctx)
	return status(r, err, 401)
}

func random(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return string(b)
}
