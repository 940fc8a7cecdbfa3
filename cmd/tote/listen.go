package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// listen opens the listener, with TLS when a certificate was given.
func listen(ctx context.Context, cfg *Config) (net.Listener, error) {
	var conf *tls.Config
	if cfg.TLS() {
		certs := &certificates{cert: cfg.TLSCert, key: cfg.TLSKey}
		if _, err := certs.get(nil); err != nil {
			return nil, withCode(exitUsage, err)
		}
		conf = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: certs.get}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, failf(exitListen, "can't listen on %s: %w", cfg.Listen, listenCause(err))
	}
	if conf != nil {
		l = tls.NewListener(l, conf)
	}
	return l, nil
}

// listenCause strips what the message says already.
func listenCause(err error) error {
	if op, ok := err.(*net.OpError); ok {
		return cause(op.Err)
	}
	return err
}

// certificates gives out the certificate and reads it again when its file changed, so that renewing it needs no restart. A renewal that
// can't be read, for instance because only half of it is written, leaves the one before in use.
type certificates struct {
	cert, key string
	mu        sync.Mutex
	current   *tls.Certificate // guarded by mu
	read      time.Time        // modification time of cert when it was read, guarded by mu
	looked    time.Time        // guarded by mu
}

func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && time.Since(c.looked) < time.Second {
		return c.current, nil
	}
	c.looked = time.Now()
	fi, err := os.Stat(c.cert)
	if err == nil && c.current != nil && fi.ModTime().Equal(c.read) {
		return c.current, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		if c.current != nil {
			return c.current, nil
		}
		return nil, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", c.cert, c.key, err)
	}
	c.current, c.read = &pair, fi.ModTime()
	return c.current, nil
}
