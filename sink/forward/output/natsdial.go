package output

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"hbjournal/sink/forward"
)

// dial connects, if there is no connection. The hosts of the URL are tried, and then those that the cluster told of.
func (n *natsOutput) dial(ctx context.Context) error {
	if n.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	dialer := &natsDialer{ctx: ctx}
	n.async = &lastError{}
	opts, err := n.login()
	if err != nil {
		return err
	}
	opts = append(opts, nats.Name("hbjournal"), nats.NoReconnect(), nats.Timeout(n.Timeout), nats.SetCustomDialer(dialer),
		nats.SkipHostLookup(), // The dialer does it, and tries all addresses.
		nats.MaxPingsOutstanding(2), nats.PingInterval(n.Timeout), nats.FlusherTimeout(n.Timeout),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { n.async.put(err) }))
	if n.ignoreDiscovered {
		opts = append(opts, nats.IgnoreDiscoveredServers())
	}
	if n.secure {
		config, err := n.tls("")
		if err != nil {
			return err
		}
		opts = append(opts, nats.Secure(config))
	}
	conn, err := nats.Connect(n.servers(), opts...)
	dialer.end()
	if err != nil {
		return n.trouble(dialClass(err), fmt.Errorf("connect: %w", errors.Join(err, dialer.failed)))
	}
	if !conn.HeadersSupported() {
		conn.Close()
		return n.trouble(forward.Server, errors.New("the server is too old: it knows no headers"))
	}
	n.conn, n.dialed, n.attached = conn, time.Now(), false
	n.seen = conn.DiscoveredServers()
	return nil
}

// servers are where to connect, as the library wants them.
func (n *natsOutput) servers() string {
	var all []string
	for _, host := range n.hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), natsPort)
		}
		all = append(all, "nats://"+host)
	}
	if !n.ignoreDiscovered {
		all = append(all, n.seen...)
	}
	return strings.Join(all, ",")
}

// login reads who we are from its files.
func (n *natsOutput) login() (opts []nats.Option, err error) {
	if n.credentials != "" {
		opts = append(opts, nats.UserCredentials(n.credentials))
	}
	if n.nkey != "" {
		option, err := nats.NkeyOptionFromSeed(n.nkey)
		if err != nil {
			return nil, n.trouble(forward.Auth, fmt.Errorf("read nkey_file %s: %w", n.nkey, err))
		}
		opts = append(opts, option)
	}
	if n.PasswordFile != "" {
		password, err := readSecret(n.PasswordFile)
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.UserInfo(n.User, password))
	}
	if n.TokenFile != "" {
		token, err := readSecret(n.TokenFile)
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Token(token))
	}
	return opts, nil
}

// natsDialer dials until ctx ends, which then also breaks a connection that is still being made.
type natsDialer struct {
	ctx    context.Context
	stops  []func() bool
	failed error
}

// Dial implements nats.CustomDialer.
func (d *natsDialer) Dial(network, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(d.ctx, network, address)
	if err != nil {
		d.failed = err
		return nil, err
	}
	d.stops = append(d.stops, context.AfterFunc(d.ctx, func() { _ = conn.Close() }))
	return conn, nil
}

// end lets the connections live on when ctx ends.
func (d *natsDialer) end() {
	for _, stop := range d.stops {
		stop()
	}
}
