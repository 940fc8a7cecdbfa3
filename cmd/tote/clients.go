package main

import (
	"context"
	"errors"
	"syscall"
	"time"

	"tote/meta"
)

// clientArgs name a client and what it gets. The secret comes as a hash: it never leaves the process that made it. The auth key has to be kept as it
// is, because the server computes with it.
type clientArgs struct {
	Tenant string   `json:"tenant"`
	ID     string   `json:"id"`
	Hash   string   `json:"hash,omitempty"`
	Key    []byte   `json:"key,omitempty"`
	Roles  []string `json:"roles,omitempty"`
}

// clientInfo is a client as the commands show it, without its secrets.
type clientInfo struct {
	Tenant  string    `json:"tenant"`
	ID      string    `json:"id"`
	Roles   []string  `json:"roles"`
	Signs   bool      `json:"signs"`
	Created time.Time `json:"created"`
}

func clientInfoOf(c meta.Client) clientInfo {
	return clientInfo{c.Tenant, c.ID, c.Roles, len(c.Key) > 0, time.Unix(0, c.Created).UTC()}
}

func (c *control) addClient(ctx context.Context, a clientArgs, _ output) (clientInfo, error) {
	if err := errors.Join(c.checkTenant(ctx, a.Tenant), checkRoles(a.Roles)); err != nil {
		return clientInfo{}, err
	}
	now := time.Now().UnixNano()
	client := meta.Client{Tenant: a.Tenant, ID: a.ID, Hash: a.Hash, Key: a.Key, Roles: a.Roles, Created: now, Updated: now}
	err := c.db.AddClient(ctx, client, meta.Durable)
	if errors.Is(err, syscall.EEXIST) {
		err = usagef("client %s/%s exists", a.Tenant, a.ID)
	}
	return clientInfoOf(client), err
}

func (c *control) removeClient(ctx context.Context, a clientArgs, _ output) (clientInfo, error) {
	err := c.db.DeleteClient(ctx, a.Tenant, a.ID, meta.Durable)
	if errors.Is(err, syscall.ENOENT) {
		err = usagef("no client %s/%s", a.Tenant, a.ID)
	}
	return clientInfo{Tenant: a.Tenant, ID: a.ID}, err
}

func (c *control) listClients(ctx context.Context, a clientArgs, _ output) ([]clientInfo, error) {
	if err := c.checkTenant(ctx, a.Tenant); err != nil {
		return nil, err
	}
	clients, err := c.db.Clients(ctx, a.Tenant)
	list := []clientInfo{}
	for _, client := range clients {
		list = append(list, clientInfoOf(client))
	}
	return list, err
}
