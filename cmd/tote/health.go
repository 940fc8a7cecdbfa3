package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sys/unix"

	"tote/meta"
)

// health answers probes. They need no login, so they tell states and no names.
type health struct {
	db      *meta.DB
	staging string
	mount   *mountFace // nil without --mount
}

// alive answers as long as the process does.
func (h *health) alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintln(w, "ok")
}

// ready answers 200 when requests can be served, else 503 with what is in the way.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	checks := []struct {
		name string
		err  error
	}{
		{"database", h.checkDatabase(ctx)},
		{"staging", h.checkStaging()},
		{"mount", h.checkMount()},
	}
	status, text := http.StatusOK, ""
	for _, c := range checks {
		if c.err == nil {
			text += c.name + " ok\n"
			continue
		}
		status = http.StatusServiceUnavailable
		text += c.name + " " + c.err.Error() + "\n"
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, text)
}

func (h *health) checkDatabase(ctx context.Context) error {
	if _, err := h.db.TenantByName(ctx, defaultTenant); err != nil {
		return errors.New("does not answer")
	}
	return nil
}

// checkStaging asks without writing: anyone may send probes.
func (h *health) checkStaging() error {
	if err := unix.Access(h.staging, unix.W_OK|unix.X_OK); err != nil {
		return errors.New("not writable")
	}
	var st unix.Statfs_t
	if err := unix.Statfs(h.staging, &st); err != nil || st.Bavail == 0 {
		return errors.New("no space")
	}
	return nil
}

func (h *health) checkMount() error {
	if h.mount != nil && h.mount.gone() && !h.mount.asked.Load() {
		return errors.New("gone")
	}
	return nil
}
