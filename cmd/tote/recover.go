package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	"github.com/urfave/cli/v2"

	"tote/fs"
	"tote/meta"
)

func recoverCommand() *cli.Command {
	return &cli.Command{
		Name:  "recover",
		Usage: "rebuild a tree from its objects when the database is lost",
		Description: fmt.Sprintf("Makes a new data directory whose files are the objects of --store: at the path, with the mode and the time that they had\n"+
			"when they were written, the newest where there are several. What is known by its key only comes to /lost+found. The\n"+
			"command goes on where it was interrupted; until it has ended, the tree is not served. No server may run on the old\n"+
			"data directory. Objects that can't be placed are printed one per line and make the exit code %d.", exitDamaged),
		Flags: []cli.Flag{
			dataFlag(), storeFlag(), jsonFlag(),
			&cli.BoolFlag{Name: "keep-older", Usage: "older versions become files as well, named stem@_@GUID.ext"},
		},
		Action: runRecover,
	}
}

func runRecover(c *cli.Context) error {
	if err := argCount(c, 0, 0, "[flags]"); err != nil {
		return err
	}
	cfg := localConfig(c)
	cfg.recovers = true
	if err := cfg.check(cfg.checkData, cfg.checkStore); err != nil {
		return err
	}
	if cfg.Store == "" {
		return usagef("--store must name the store whose objects shall be files again")
	}
	process()
	log := newLogger(c.App.ErrWriter, cfg.LogLevel, cfg.LogFormat)
	s := &closers{timeout: cfg.StopTimeout, log: log}
	r, err := adoptObjects(c, func(result any, out output) error {
		core, err := openRecovery(c.Context, &cfg, s, log)
		if err == nil {
			err = core.recoverTree(c.Context, c.Bool("keep-older"), result.(*fs.ImportReport), out)
		}
		return errors.Join(err, s.Close())
	})
	if err != nil {
		return err
	}
	return r.print(c, "recovered")
}

// recoverySetting says that a recovery has begun and not ended. Until then objects that are no files yet look like garbage.
const recoverySetting = "recovery"

// recovering tells whether a recovery was interrupted.
func recovering(ctx context.Context, db *meta.DB) (bool, error) {
	b, err := db.Setting(ctx, recoverySetting)
	if errors.Is(err, syscall.ENOENT) {
		return false, nil
	}
	return len(b) > 0, err
}

// allowRecovery refuses a database with files, unless they come from a recovery that was interrupted; else it notes that one has begun.
func allowRecovery(ctx context.Context, cfg *Config, db *meta.DB) error {
	again, err := recovering(ctx, db)
	if err != nil || again {
		return err
	}
	tenants, err := db.Tenants(ctx)
	if err != nil {
		return err
	}
	if len(tenants) > 0 {
		return usagef("--data %s has a tree already: recover into a new directory", cfg.Data)
	}
	return db.PutSetting(ctx, recoverySetting, []byte("begun"), meta.Durable)
}

// refuseHalf keeps half a tree from being served, whose garbage collection would delete the other half.
func refuseHalf(ctx context.Context, cfg *Config, db *meta.DB) error {
	half, err := recovering(ctx, db)
	if err == nil && half {
		err = usagef("the recovery of %s has not ended: run tote recover again", cfg.Data)
	}
	return err
}

// openRecovery opens the core of a new data directory on a store that has the objects. The store is first: wrong keys shall leave nothing behind.
func openRecovery(ctx context.Context, cfg *Config, s *closers, log *slog.Logger) (*core, error) {
	ref, err := parseStore(cfg.Store, cfg.Data)
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, cfg, ref, log, s)
	if err != nil {
		return nil, err
	}
	d, err := openDataDir(cfg.Data, true)
	if err != nil {
		return nil, err
	}
	s.push("data directory", ignoreContext(d.Close))
	return openCore(ctx, cfg, d, store, log, s)
}

// recoverTree makes the files and notes that all are there.
func (c *core) recoverTree(ctx context.Context, keepOlder bool, r *fs.ImportReport, out output) error {
	report, err := c.fs.Recover(ctx, fs.RecoverOptions{
		KeepOlder: keepOlder, Problem: out.line, Progress: func(r fs.ImportReport) { out.progress(adopting("recovering", r)) },
	})
	if *r = report; err != nil {
		return fmt.Errorf("%w; run the command again to go on", err)
	}
	return c.db.PutSetting(ctx, recoverySetting, nil, meta.Durable)
}
