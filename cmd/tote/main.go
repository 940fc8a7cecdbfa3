package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signals(context.Background())
	code := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// signals returns a context that ends with the first signal. From then on signals have their default effect again, so that the second
// one ends the process at once.
func signals(parent context.Context) (context.Context, context.CancelFunc) {
	stops := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it on purpose
		stops = append(stops, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(parent, stops...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// run is the whole program as a function: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app := newApp(stdin, stdout, stderr)
	return exitCode(app.RunContext(ctx, flagsFirst(app.Commands, args)), stderr)
}
