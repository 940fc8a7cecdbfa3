package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// askPassword gets a new password without it ever being an argument, which ps would show: made here and printed, typed twice on a
// terminal, or the first line of standard input.
func askPassword(c *cli.Context) (string, error) {
	if c.Bool("generate") {
		p := randomPassword()
		fmt.Fprintln(c.App.Writer, p)
		return p, nil
	}
	p, err := readPassword(c.App.Reader, c.App.ErrWriter)
	if err != nil {
		return "", err
	}
	if err := checkPassword(p); err != nil {
		return "", withCode(exitUsage, err)
	}
	return p, nil
}

func readPassword(in io.Reader, prompt io.Writer) (string, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return typePassword(f, prompt)
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxPassword+3)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", usagef("no password on standard input: pipe one in, or use --generate")
	}
	return line, nil
}

func typePassword(f *os.File, prompt io.Writer) (string, error) {
	var typed [2]string
	for i, text := range []string{"new password: ", "once more: "} {
		fmt.Fprint(prompt, text)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(prompt)
		if err != nil {
			return "", err
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", usagef("the two passwords differ")
	}
	return typed[0], nil
}
