package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// closers ends what was started, last first. Each step gets the time-out for itself: one that hangs takes nothing from those below it,
// which hold the data.
type closers struct {
	steps   []step
	timeout time.Duration
	log     *slog.Logger
}

type step struct {
	name  string
	close func(context.Context) error
}

func (s *closers) push(name string, close func(context.Context) error) {
	s.steps = append(s.steps, step{name, close})
}

// Close runs every step and joins their errors. It may be called again and then does nothing.
func (s *closers) Close() error {
	var errs []error
	for i := len(s.steps) - 1; i >= 0; i-- {
		st := s.steps[i]
		s.steps = s.steps[:i]
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
		if err := st.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", st.name, err))
		}
		cancel()
		s.log.Debug("closed", "what", st.name, "took", time.Since(start))
	}
	return errors.Join(errs...)
}

// ignoreContext fits a close without time-out into the stack.
func ignoreContext(close func() error) func(context.Context) error {
	return func(context.Context) error { return close() }
}
