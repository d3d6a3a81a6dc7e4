package output

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"hbjournal/sink/forward"
)

// webSettings are how an output over HTTP reaches its receiver.
type webSettings struct {
	connection
	Secure     bool   // by the end of the scheme: https
	Host       string // host:port
	Compress   string // of bodies: none, gzip, zstd
	HeaderFile string // lines "Name: value", sent with each request
	Proxy      string // URL; "": none, whatever the environment says

	// TokenScheme is the word before the token in the header Authorization; "": Bearer. Outputs set it.
	TokenScheme string
}

// web asks for the options that every output over HTTP has. Port is the scheme's own.
func (o *options) web(t *Target, port string) webSettings {
	s := webSettings{
		connection: o.connection(t), Secure: strings.HasSuffix(t.Scheme, "https"),
		Compress: o.choice("compress", "none", "none", "gzip", "zstd"), HeaderFile: o.text("header_file", ""),
		Proxy: o.text("proxy", ""),
	}
	t.Secrets = append(t.Secrets, filled(s.HeaderFile)...)
	if len(t.Hosts) != 1 {
		o.fault("it takes one host")
	} else {
		s.Host = withPort(t.Hosts[0], port)
		host, port, _ := net.SplitHostPort(s.Host)
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsFunc(host, notOfHosts) {
			o.fault("want a host, and a port from 1 to 65535")
		}
	}
	if t.Path == "" {
		t.Path = "/"
	}
	if s.Proxy != "" {
		if p, err := url.Parse(s.Proxy); err != nil || p.Host == "" || p.Scheme != "http" && p.Scheme != "https" {
			o.wrong("proxy", "a URL such as http://proxy:3128")
		} else if p.User != nil {
			o.fault("proxy holds a user or a password; put a line Proxy-Authorization into a file and give header_file=")
		}
	}
	return s
}

// escaped is a path as it stands in a request.
func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// withPort adds the port to a host that has none.
func withPort(host, port string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// A web is an HTTP client for one receiver and one goroutine. It follows no redirect, and takes no proxy from the
// environment. Its connection is made anew after max_conn_age and after each trouble; the name of the host is looked up, and
// the files of the options are read, each time.
type web struct {
	webSettings
	client    http.Client
	transport *http.Transport
	made      time.Time // when transport was
	squeeze   squeezer
}

func newWeb(s webSettings) *web { return &web{webSettings: s} }

// Close lets go of the connection.
func (w *web) Close() error {
	if w.transport != nil {
		w.transport.CloseIdleConnections()
		w.transport = nil
	}
	return nil
}

// A call is one request.
type call struct {
	method string // "": POST
	path   string // with its query; escaped
	header http.Header
	body   []byte // compressed on the way as compress= says; not sent with GET and HEAD
	limit  int64  // of the answer's body, in bytes; 0: 1 MiB
}

// maxAnswer is how much of an answer is read.
const maxAnswer = 1 << 20

// An answer has been read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ok reports whether the receiver took the request.
func (a answer) ok() bool { return a.status/100 == 2 }

// refusal is a *forward.RefusedError of what the receiver said.
func (a answer) refusal() error {
	return &forward.RefusedError{Code: fmt.Sprint(a.status), Reason: a.reason()}
}

// reason is the beginning of the answer's body.
func (a answer) reason() string {
	const most = 1 << 10
	text := strings.TrimSpace(string(a.body[:min(len(a.body), most)]))
	if text == "" {
		return http.StatusText(a.status)
	}
	return text
}

// do sends a request and reads the answer whole. Without an error the status is 2xx, or 400, 413 or 422, which blame
// the body. All else is a *forward.TroubleError; the answer is given with it if there was one.
func (w *web) do(ctx context.Context, c call) (answer, error) {
	if err := w.renew(); err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, wholeOf*w.Timeout)
	defer cancel()
	var p progress
	request, text, err := w.request(httptrace.WithClientTrace(ctx, p.trace()), c)
	defer text.end()
	if err != nil {
		return answer{}, err
	}
	response, err := w.client.Do(request)
	if err != nil {
		return answer{}, w.trouble(p.classOf(err), err)
	}
	a := answer{status: response.StatusCode, header: response.Header}
	limit := c.limit
	if limit == 0 {
		limit = maxAnswer
	}
	a.body, err = io.ReadAll(io.LimitReader(response.Body, limit+1))
	_ = response.Body.Close() // Read to its end, or given up.
	switch {
	case err != nil:
		return answer{}, w.trouble(forward.Ambiguous, fmt.Errorf("read the answer: %w", err))
	case int64(len(a.body)) > limit:
		return answer{}, w.trouble(forward.Ambiguous, fmt.Errorf("the answer is longer than %d bytes", limit))
	}
	return a, w.judge(a)
}

// wholeOf times Timeout is how long a request and its answer may take if they move at all. What does not move ends after Timeout.
const wholeOf = 20

// judge returns what kind of trouble the status speaks of.
func (w *web) judge(a answer) error {
	class := forward.Server
	switch a.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return nil
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		class = forward.Auth
	case http.StatusTooManyRequests:
		class = forward.Throttled
	}
	switch a.status / 100 {
	case 2:
		return nil
	case 3:
		return w.trouble(class, fmt.Errorf("it answers %d: redirects are not followed; give the URL that it points to", a.status))
	}
	_ = w.Close()
	return &forward.TroubleError{
		Class: class, After: retryAfter(a.header.Get("Retry-After"), time.Now()),
		Err: fmt.Errorf("it answers %d: %s", a.status, a.reason()),
	}
}

// retryAfter reads the header: seconds or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := time.ParseDuration(text + "s"); err == nil && seconds > 0 {
		return seconds
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

// trouble is an error of the way, after which the connection is made anew. It takes the URL out of err.
func (w *web) trouble(class forward.Class, err error) error {
	_ = w.Close()
	return &forward.TroubleError{Class: class, Err: withoutURL(err)}
}

// request makes the request of a call.
func (w *web) request(ctx context.Context, c call) (*http.Request, *body, error) {
	if c.method == "" {
		c.method = http.MethodPost
	}
	target := url.URL{Scheme: "http", Host: w.Host}
	if w.Secure {
		target.Scheme = "https"
	}
	squeezed, encoding := []byte(nil), ""
	if len(c.body) > 0 {
		var err error
		if squeezed, encoding, err = w.squeeze.squeeze(w.Compress, c.body); err != nil {
			return nil, newBody(nil), err
		}
	}
	text := newBody(squeezed)
	request, err := http.NewRequestWithContext(ctx, c.method, target.String()+c.path, http.NoBody)
	if err != nil {
		return nil, text, w.trouble(forward.Network, err)
	}
	if len(squeezed) > 0 {
		request.Body, request.ContentLength, request.GetBody = text, int64(len(squeezed)), text.again
	}
	for name, values := range c.header {
		request.Header[name] = values
	}
	if encoding != "" {
		request.Header.Set("Content-Encoding", encoding)
	}
	request.Header.Set("User-Agent", "hbjournal")
	err = w.authorize(request.Header)
	if w.Secure && w.Proxy != "" {
		request.Header.Del(proxyLogin) // It has seen it, and the receiver must not.
	}
	return request, text, err
}

// authorize adds what the receiver wants to see, and the lines of header_file.
func (w *web) authorize(header http.Header) error {
	scheme := w.TokenScheme
	if scheme == "" {
		scheme = "Bearer"
	}
	if w.TokenFile != "" {
		token, err := readSecret(w.TokenFile)
		if err != nil {
			return err
		}
		header.Set("Authorization", scheme+" "+token)
	}
	if w.PasswordFile != "" {
		password, err := readSecret(w.PasswordFile)
		if err != nil {
			return err
		}
		basic := http.Request{Header: header}
		basic.SetBasicAuth(w.User, password)
	}
	return w.addHeaders(header)
}

// notOfHeaders reports what stands in no name of a header (RFC 9110, 5.6.2). Package http would show the name in its error.
func notOfHeaders(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

func (w *web) addHeaders(header http.Header) error {
	if w.HeaderFile == "" {
		return nil
	}
	file, err := os.Open(w.HeaderFile)
	if err != nil {
		return w.trouble(forward.Auth, fmt.Errorf("read header_file: %w", err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSecret))
	if err != nil {
		return w.trouble(forward.Auth, fmt.Errorf("read header_file: %w", err))
	}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsFunc(name, notOfHeaders) || strings.ContainsFunc(value, isControl) {
			return w.trouble(forward.Auth, fmt.Errorf("read header_file %s: line %d is not \"Name: value\"", w.HeaderFile, i+1))
		}
		header.Add(name, strings.TrimSpace(value))
	}
	return nil
}
