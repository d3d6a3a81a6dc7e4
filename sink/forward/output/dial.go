package output

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"hbjournal/sink/forward"
)

// dial connects to address, a host and a port. The host is looked up each time, and all its addresses are tried.
func (c connection) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: c.Timeout}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, trouble("connect", err)
	}
	return conn, nil
}

// endConn is a TCP connection that remembers whether its end was read: package tls takes it for the end that the receiver
// says in TLS's own words, close_notify, behind which it does not read.
type endConn struct {
	*net.TCPConn
	over atomic.Bool
}

// Read implements net.Conn.
func (c *endConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if err == io.EOF {
		c.over.Store(true)
	}
	return n, err
}

// dialTLS connects to address over TCP, and secures the connection, which is over an *endConn.
func (c connection) dialTLS(ctx context.Context, address string) (*tls.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	config, err := c.tls(host)
	if err != nil {
		return nil, err
	}
	raw, err := c.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	secured := tls.Client(&endConn{TCPConn: raw.(*net.TCPConn)}, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, trouble("agree on TLS", err)
	}
	return secured, nil
}

// trouble is an error of the network, which will be tried again. It shows no address: the receiver's stands in the URL.
func trouble(doing string, err error) error {
	return &forward.TroubleError{Class: classOf(err), Err: fmt.Errorf("%s: %w", doing, withoutAddresses(err))}
}

// classOf tells what TLS is to blame for from what the network is.
func classOf(err error) forward.Class {
	var remote *net.OpError
	if isTLS(err) || errors.As(err, &remote) && (remote.Op == "remote error" || remote.Op == "local error") { // so says crypto/tls
		return forward.TLS
	}
	return forward.Network
}

// withoutAddresses takes from the errors of package net the addresses, of receivers and of name servers.
func withoutAddresses(err error) error {
	var (
		op  *net.OpError
		dns *net.DNSError
	)
	switch {
	case errors.As(err, &dns):
		bare := *dns
		bare.Server = ""
		return &bare
	case errors.As(err, &op):
		return &net.OpError{Op: op.Op, Net: op.Net, Err: op.Err}
	}
	return err
}

// deadline is when something that begins now has taken too long; without a limit, never.
func (c connection) deadline() time.Time {
	if c.Timeout <= 0 {
		return time.Time{}
	}
	return time.Now().Add(c.Timeout)
}
