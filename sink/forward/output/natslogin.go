package output

import (
	"crypto/tls"
	"fmt"

	"github.com/nats-io/nats.go"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/stream"
)

// servers says how the cluster is reached.
func (n natsOptions) servers(c connection) stream.Servers {
	s := stream.Servers{
		Hosts: n.hosts, Timeout: c.Timeout, MaxAge: c.MaxAge, IgnoreDiscovered: n.ignoreDiscovered,
		Login: func() ([]nats.Option, error) { return n.login(c) },
	}
	if n.secure {
		s.TLS = func() (*tls.Config, error) { return c.tls("") }
	}
	return s
}

// login reads who we are from its files.
func (n natsOptions) login(c connection) (opts []nats.Option, err error) {
	if n.credentials != "" {
		opts = append(opts, nats.UserCredentials(n.credentials))
	}
	if n.nkey != "" {
		option, err := nats.NkeyOptionFromSeed(n.nkey)
		if err != nil {
			return nil, &forward.TroubleError{Class: forward.Auth, Err: fmt.Errorf("read nkey_file %s: %w", n.nkey, err)}
		}
		opts = append(opts, option)
	}
	if c.PasswordFile != "" {
		password, err := readSecret(c.PasswordFile)
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.UserInfo(c.User, password))
	}
	if c.TokenFile != "" {
		token, err := readSecret(c.TokenFile)
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Token(token))
	}
	return opts, nil
}
