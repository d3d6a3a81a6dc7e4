package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Servers are how NATS is reached.
type Servers struct {
	Hosts            []string                      // host or host:port; all are tried
	TLS              func() (*tls.Config, error)   // asked at each dial; nil: no TLS
	Login            func() ([]nats.Option, error) // asked at each dial, so that secrets are renewed without a restart; nil: none
	Timeout          time.Duration                 // of a dial, and of an answer
	MaxAge           time.Duration                 // a connection is made anew after it; 0: never
	IgnoreDiscovered bool                          // do not connect to servers that the cluster told of
}

// Port is where NATS listens, unless the URL says otherwise.
const Port = "4222"

// A Client speaks to NATS JetStream over one connection, which it makes when it has to. It is for one goroutine.
//
// There is no buffer between it and the socket: the library's own reconnecting is off, since it would send what waits in
// its buffer again later; after an error whoever calls dials anew.
type Client struct {
	Servers

	conn   *nats.Conn
	dialed time.Time
	dials  int
	seen   []string   // servers that the cluster told of
	async  *LastError // what the server said besides answers
}

// Conn is the connection of the last Dial, nil if there is none.
func (c *Client) Conn() *nats.Conn { return c.conn }

// Dials counts the connections made. What was found out in one of them may not hold in the next.
func (c *Client) Dials() int { return c.dials }

// Dial connects, if there is no connection or its time is over. The hosts given are tried, and then those that the cluster
// told of.
func (c *Client) Dial(ctx context.Context) error {
	if c.conn != nil && (c.conn.IsClosed() || c.MaxAge > 0 && time.Since(c.dialed) > c.MaxAge) {
		c.Close()
	}
	if c.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	each := min(c.Timeout, max(c.Timeout/time.Duration(max(1, len(c.Hosts)+len(c.seen))), enough)) // One that hangs leaves the others their time.
	dialer, async := &dialer{ctx: ctx, each: each, secure: c.TLS}, &LastError{}
	opts, err := c.options(dialer, async)
	if err != nil {
		return err
	}
	conn, err := nats.Connect(c.addresses(), opts...)
	dialer.end()
	if err != nil {
		return trouble(dialKind(err), fmt.Errorf("connect: %w", errors.Join(err, dialer.failed)))
	}
	if !conn.HeadersSupported() {
		conn.Close()
		return trouble(Server, errors.New("the server is too old: it knows no headers"))
	}
	c.conn, c.dialed, c.async = conn, time.Now(), async
	c.dials++
	c.seen = conn.DiscoveredServers()
	return nil
}

// options are how the library connects.
func (c *Client) options(dialer *dialer, async *LastError) (opts []nats.Option, err error) {
	if c.Login != nil {
		if opts, err = c.Login(); err != nil {
			return nil, err
		}
	}
	opts = append(opts, nats.Name("hbjournal"), nats.NoReconnect(), nats.Timeout(dialer.each), nats.SetCustomDialer(dialer),
		nats.SkipHostLookup(), // The dialer does it, and tries all addresses.
		nats.MaxPingsOutstanding(2), nats.PingInterval(c.Timeout), nats.FlusherTimeout(c.Timeout),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { async.Put(err) }))
	if c.IgnoreDiscovered {
		opts = append(opts, nats.IgnoreDiscoveredServers())
	}
	if c.TLS != nil {
		config, err := c.TLS()
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Secure(config))
	}
	return opts, nil
}

// addresses are where to connect, as the library wants them.
func (c *Client) addresses() string {
	var all []string
	for _, host := range c.Hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), Port)
		}
		all = append(all, "nats://"+host)
	}
	if !c.IgnoreDiscovered {
		all = append(all, c.seen...)
	}
	return strings.Join(all, ",")
}

// Close ends the connection, if there is one.
func (c *Client) Close() {
	if c.conn != nil {
		c.conn.Close()
	}
	c.conn = nil
}

// enough is how long one server of several is waited for at least.
const enough = 2 * time.Second

// dialer dials until ctx ends, which then also breaks a connection that is still being made.
type dialer struct {
	ctx    context.Context
	each   time.Duration               // for one server
	secure func() (*tls.Config, error) // nil: as the server says
	stops  []func() bool
	failed error
}

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, d.each)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		d.failed = err
		return nil, err
	}
	d.stops = append(d.stops, context.AfterFunc(d.ctx, func() { _ = conn.Close() }))
	host, _, _ := net.SplitHostPort(address)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	greeted, err := greet(ctx, conn, host, d.secure)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		d.failed = err
		return nil, err
	}
	return greeted, nil
}

// SkipTLSHandshake tells the library that the connections are secured as they have to be.
func (*dialer) SkipTLSHandshake() bool { return true }

// end lets the connections live on when ctx ends.
func (d *dialer) end() {
	for _, stop := range d.stops {
		stop()
	}
}

// Wait waits, and reports whether ctx was still going on then.
func Wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
