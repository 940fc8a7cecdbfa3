package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"tote/fs"
)

func clientCommand() *cli.Command {
	tenant := &cli.StringFlag{Name: "tenant", Value: defaultTenant, Usage: "of `TENANT`"}
	role := &cli.StringSliceFlag{Name: "role", Usage: "give `ROLE`, may be repeated: " + strings.Join(roles, ", "), Value: cli.NewStringSlice(fs.RoleEditor)}
	sign := &cli.BoolFlag{Name: "sign", Usage: "let it sign requests with an auth key, too (HMAC)"}
	given := &cli.BoolFlag{Name: "ask", Usage: "ask for the secret, and for the auth key, instead of making them; or read them from standard input, a line each"}
	return &cli.Command{
		Name:        "client",
		Usage:       "manage programs that use the binary stream object service",
		Description: "A program logs in with its id and secret, and says for whom it acts. The secret is shown once, when it is made.",
		Subcommands: []*cli.Command{
			{Name: "add", Usage: "add a client", ArgsUsage: "ID", Flags: []cli.Flag{dataFlag(), tenant, role, sign, given, jsonFlag()}, Action: clientAdd},
			{Name: "rm", Usage: "remove a client", ArgsUsage: "ID", Flags: []cli.Flag{dataFlag(), tenant}, Action: clientRemove},
			{Name: "ls", Usage: "list clients", ArgsUsage: "[TENANT]", Flags: []cli.Flag{dataFlag(), tenant, jsonFlag()}, Action: clientList},
		},
	}
}

// shownClient is what a new client has to know. It is printed and nowhere kept.
type shownClient struct {
	Tenant string `json:"tenant"`
	ID     string `json:"id"`
	Secret string `json:"secret"`
	Key    string `json:"authKey,omitempty"`
}

func clientAdd(c *cli.Context) error {
	cfg, a, err := clientRequest(c)
	if err != nil {
		return err
	}
	a.Roles = c.StringSlice("role")
	if err := checkRoles(a.Roles); err != nil {
		return err
	}
	shown := shownClient{Tenant: a.Tenant, ID: a.ID}
	if shown.Secret, shown.Key, err = newSecrets(c); err != nil {
		return err
	}
	if a.Hash, err = hashPassword(shown.Secret); err != nil {
		return err
	}
	a.Key = []byte(shown.Key)
	var added clientInfo
	if err := ask(c, cfg, needsDB, "client-add", a, &added, output{}); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, shown)
	}
	return showClient(c, shown)
}

// showClient prints the secrets of a new client in the words of its headers.
func showClient(c *cli.Context, s shownClient) error {
	w := tabwriter.NewWriter(c.App.Writer, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "x-rdp-tenantId\t%s\nauth-client-id\t%s\nauth-client-secret\t%s\n", s.Tenant, s.ID, s.Secret)
	if s.Key != "" {
		fmt.Fprintf(w, "auth key\t%s\n", s.Key)
	}
	return w.Flush()
}

// newSecrets makes the secret and, when it was asked for, the auth key; or asks for them.
func newSecrets(c *cli.Context) (secret, key string, err error) {
	if !c.Bool("ask") {
		secret = randomPassword()
		if c.Bool("sign") {
			key = randomPassword() + randomPassword()
		}
		return secret, key, nil
	}
	in := bufio.NewReader(c.App.Reader)
	if secret, err = askSecret(c, in, "secret"); err != nil || !c.Bool("sign") {
		return secret, "", err
	}
	key, err = askSecret(c, in, "auth key")
	return secret, key, err
}

// askSecret gets one secret: typed twice on a terminal, else the next line of in.
func askSecret(c *cli.Context, in *bufio.Reader, what string) (s string, err error) {
	if f, ok := c.App.Reader.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(c.App.ErrWriter, "%s of the client\n", what)
		s, err = typePassword(f, c.App.ErrWriter)
	} else {
		s, err = in.ReadString('\n')
		s = strings.TrimRight(s, "\r\n")
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err == nil {
		err = checkPassword(s)
	}
	if err != nil {
		return "", usagef("%s: %w", what, err)
	}
	return s, nil
}

func clientRemove(c *cli.Context) error {
	cfg, a, err := clientRequest(c)
	if err != nil {
		return err
	}
	var gone clientInfo
	return ask(c, cfg, needsDB, "client-remove", a, &gone, output{})
}

// clientRequest reads what the commands about one client have in common.
func clientRequest(c *cli.Context) (Config, clientArgs, error) {
	if err := argCount(c, 1, 1, c.Command.ArgsUsage); err != nil {
		return Config{}, clientArgs{}, err
	}
	cfg, err := commandConfig(c)
	if err != nil {
		return cfg, clientArgs{}, err
	}
	name := c.Args().First()
	if !strings.Contains(name, "/") {
		name = c.String("tenant") + "/" + name
	} else if c.IsSet("tenant") {
		return cfg, clientArgs{}, usagef("client %s names its tenant: leave out --tenant", name)
	}
	var a clientArgs
	a.Tenant, a.ID, err = splitUser(name)
	return cfg, a, err
}

func clientList(c *cli.Context) error {
	if err := argCount(c, 0, 1, c.Command.ArgsUsage); err != nil {
		return err
	}
	cfg, err := commandConfig(c)
	if err != nil {
		return err
	}
	a := clientArgs{Tenant: c.String("tenant")}
	if c.Args().Present() {
		a.Tenant = c.Args().First()
	}
	var list []clientInfo
	if err := ask(c, cfg, needsDB, "client-list", a, &list, output{}); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, list)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 8, 2, ' ', 0)
	for _, i := range list {
		signs := ""
		if i.Signs {
			signs = "signs"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", i.ID, strings.Join(i.Roles, ","), i.Created.Local().Format("2006-01-02 15:04"), signs)
	}
	return w.Flush()
}
