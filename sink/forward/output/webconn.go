package output

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/stream"
)

// renew makes a new transport if there is none, or its time is over.
func (w *web) renew() error {
	if w.transport != nil && (w.MaxAge <= 0 || time.Since(w.made) < w.MaxAge) {
		return nil
	}
	_ = w.Close()
	host, _, err := net.SplitHostPort(w.Host)
	if err != nil {
		return w.trouble(forward.Network, err)
	}
	t := &http.Transport{
		DialContext: w.dial, TLSHandshakeTimeout: w.Timeout, MaxIdleConnsPerHost: 1,
		DisableCompression:     true, // Nothing that unfolds without a bound.
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        64 << 10,
	}
	if w.Secure {
		if t.TLSClientConfig, err = w.tls(host); err != nil {
			return err
		}
	}
	if w.Proxy != "" {
		proxy, err := url.Parse(w.Proxy)
		if err != nil {
			return w.trouble(forward.Network, err)
		}
		t.Proxy = http.ProxyURL(proxy)
		if t.ProxyConnectHeader, err = w.proxyHeader(); err != nil {
			return err
		}
		t.OnProxyConnectResponse = proxyAnswer
	}
	w.transport, w.made = t, time.Now()
	w.client = http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Jar: w.client.Jar}
	return nil
}

// proxyHeader is what the proxy of a TLS connection has to see: all else is for the receiver only.
func (w *web) proxyHeader() (http.Header, error) {
	all := make(http.Header)
	if err := w.addHeaders(all); err != nil {
		return nil, err
	}
	if value := all.Get(proxyLogin); value != "" {
		return http.Header{proxyLogin: {value}}, nil
	}
	return nil, nil
}

const proxyLogin = "Proxy-Authorization"

// errProxyAuth is the answer 407 of a proxy that a TLS connection was to go through.
var errProxyAuth = errors.New("the proxy answers 407: it wants a login; put a line Proxy-Authorization into the file of header_file=")

func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusProxyAuthRequired {
		return errProxyAuth
	}
	return nil
}

func (w *web) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: w.Timeout}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, withoutAddresses(err)
	}
	return &movingConn{Conn: conn, limit: w.Timeout}, nil
}

// movingConn is a connection that breaks when nothing has moved on it for limit.
type movingConn struct {
	net.Conn
	limit time.Duration
}

// Read implements net.Conn.
func (c *movingConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn. A Read that waits for the answer gets its time from then on.
func (c *movingConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// A body is what a request sends. Package http may still read it after the answer has come, when its memory is used again:
// after end it gives no more.
type body struct {
	shared *shared
	at     int
}

// shared is what a body and those made by again have in common.
type shared struct {
	lock sync.Mutex
	text []byte
	over bool
}

func newBody(text []byte) *body { return &body{shared: &shared{text: text}} }

// again is for http.Request.GetBody: package http asks for it only if nothing of the body was sent, since no method and no
// header here says that a request may be repeated.
func (b *body) again() (io.ReadCloser, error) { return &body{shared: b.shared}, nil }

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.shared.lock.Lock()
	defer b.shared.lock.Unlock()
	if b.shared.over {
		return 0, net.ErrClosed
	}
	if b.at == len(b.shared.text) {
		return 0, io.EOF
	}
	n := copy(p, b.shared.text[b.at:])
	b.at += n
	return n, nil
}

// Close implements io.Closer.
func (*body) Close() error { return nil }

func (b *body) end() {
	b.shared.lock.Lock()
	defer b.shared.lock.Unlock()
	b.shared.over, b.shared.text = true, nil
}

// progress is how far a request has come: what its error means depends on it.
type progress struct {
	connected bool
	tlsFailed bool
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn:          func(httptrace.GotConnInfo) { p.connected = true },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) { p.tlsFailed = err != nil },
	}
}

// classOf returns the class of an error without an answer: once there was a connection, it may have come to the receiver.
func (p *progress) classOf(err error) forward.Class {
	if errors.Is(err, errProxyAuth) {
		return forward.Auth
	}
	if p.connected {
		return forward.Ambiguous
	}
	if p.tlsFailed || isTLS(err) {
		return forward.TLS
	}
	return forward.Network
}

// isTLS reports whether err is of a TLS handshake.
func isTLS(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &authority)
}

// withoutURL takes the URL, which may hold a secret, and all addresses out of an error of package http.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	return stream.WithoutAddresses(err)
}
