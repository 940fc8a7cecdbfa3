package posix

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// childEnv makes a test binary a child.
const childEnv = "TOTE_POSIX_CHILD"

// Child has to be called first thing by the TestMain of a binary that runs scripts. In a process that a script started it runs the lines that it is sent, and
// does not come back.
func Child() {
	if os.Getenv(childEnv) == "" {
		return
	}
	w := newWorld()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(w.do(parse(lines.Text())))
	}
	os.Exit(0)
}

// child is another process that runs lines in the directory in which it was started.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	end bytes.Buffer
}

func startChild() (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := unix.Getwd()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(self)}
	c.cmd.Env, c.cmd.Dir, c.cmd.Stderr = append(os.Environ(), childEnv+"=1"), dir, &c.end
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	return c, c.cmd.Start()
}

// do sends a line. A child that dies of it answers with the name of the signal.
func (c *child) do(line string) (string, error) {
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		return "", err
	}
	answer, err := c.out.ReadString('\n')
	if err == nil {
		return strings.TrimSpace(answer), nil
	}
	if signal := c.stop(); signal != "" {
		return signal, nil
	}
	return "", errors.Join(err, errors.New(c.end.String()))
}

// stop ends the child and names the signal that has ended it before.
func (c *child) stop() string {
	c.in.Close()
	var exit *exec.ExitError
	if err := c.cmd.Wait(); errors.As(err, &exit) {
		if s := exit.Sys().(syscall.WaitStatus); s.Signaled() {
			return unix.SignalName(s.Signal())
		}
	}
	return ""
}

// processes are the calls that need another process, or a program.
var processes = map[string]verb{
	// "other @p LINE" runs a line in the process @p, which is started when it is named first.
	"other": func(w *world, a []string) (string, error) {
		c := w.children[a[0]]
		if c == nil {
			var err error
			if c, err = startChild(); err != nil {
				return "", err
			}
			w.children[a[0]] = c
		}
		return c.do(strings.Join(a[1:], " "))
	},
	"bye": func(w *world, a []string) (string, error) {
		c := w.children[a[0]]
		delete(w.children, a[0])
		return c.stop(), nil
	},
	"copyin": func(w *world, a []string) (string, error) {
		b, err := os.ReadFile(a[0])
		if err != nil {
			return "", err
		}
		fd, err := unix.Open(a[1], unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC, 0o755)
		if err != nil {
			return "", err
		}
		_, err = unix.Write(fd, b)
		return "", errors.Join(err, unix.Close(fd))
	},
	"exec": func(_ *world, a []string) (string, error) {
		pid, err := spawn(a)
		if err != nil {
			return "", err
		}
		var s unix.WaitStatus
		_, err = unix.Wait4(pid, &s, 0, nil)
		return fmt.Sprint(s.ExitStatus()), err
	},
	// "run @p PROGRAM …" starts a program that "kill @p" ends.
	"run": func(w *world, a []string) (string, error) {
		pid, err := spawn(a[1:])
		w.pids[a[0]] = pid
		return "", err
	},
	"kill": func(w *world, a []string) (string, error) {
		return "", w.kill(a[0])
	},
	"rlimit": func(_ *world, a []string) (string, error) {
		n, err := number(a[0], 10)
		if err != nil {
			return "", err
		}
		return "", unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(n), Max: unix.RLIM_INFINITY})
	},
	"setlk": onFD(func(_ *world, fd int, a []string) (string, error) {
		n, err := numbers(a[1:], 2)
		if err != nil {
			return "", err
		}
		return "", unix.FcntlFlock(uintptr(fd), unix.F_SETLK, &unix.Flock_t{Type: lockTypes[a[0]], Start: n[0], Len: n[1]})
	}),
	"getlk": onFD(func(_ *world, fd int, a []string) (string, error) {
		n, err := numbers(a, 2)
		if err != nil {
			return "", err
		}
		l := unix.Flock_t{Type: unix.F_WRLCK, Start: n[0], Len: n[1]}
		err = unix.FcntlFlock(uintptr(fd), unix.F_GETLK, &l)
		return fmt.Sprintf("%d %d %d %v", l.Type, l.Start, l.Len, l.Pid != 0), err
	}),
}

func spawn(a []string) (int, error) {
	// The child is a copy of this thread: its directory and its user are those of the script.
	return syscall.ForkExec(a[0], a, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
}

func (w *world) kill(name string) error {
	pid := w.pids[name]
	delete(w.pids, name)
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		return err
	}
	_, err := unix.Wait4(pid, nil, 0, nil)
	return err
}
