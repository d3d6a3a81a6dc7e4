package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/ingest"
	"hbjournal/sink/journal/presence"
	"hbjournal/sink/journal/read"
)

// Options say what is shown, and to whom.
type Options struct {
	Addr      string   // host:port
	Hosts     []string // names under which the page is asked for, beside addresses and localhost
	Token     string   // that a client must give; empty: none is asked for
	Cert, Key string   // files of TLS; empty: plain HTTP

	Read read.Options // the journal, or the journals; bounds of time in it are of no use
	// Find is asked, as long as there is no journal, what has appeared: it returns the journal or the journals in place of those of
	// Read, and whether there are any. Nil: those of Read are all, whether they are there yet or not.
	Find        func() (read.Options, bool)
	Zone        *time.Location // in which times are shown; nil is UTC
	Title       string         // what is shown, by name
	Version     string
	HostMetrics bool // /metrics has a figure of each host

	// Ask asks the daemon that writes the journal, by a path of its status; nil: there is none to ask.
	Ask func(ctx context.Context, path string) (code int, text string, err error)
	// Lives are the spans in which the daemons of the journals listened, by the place of each (read.Places), as far as they have left word of it;
	// nil: none has.
	Lives func(journals []read.Journal) map[string][]presence.Span
	// Report writes the report of a range as a page. What is wrong with the range is an error that wraps ErrRange.
	Report func(ctx context.Context, w io.Writer, since, until string) error

	// Command is the one for a shell that queries the same journals with these arguments; nil: none is shown.
	Command func(arguments ...string) string

	Log zerolog.Logger
	Now func() time.Time // nil: time.Now
}

// ErrRange is what Options.Report gives for a range that cannot be read.
var ErrRange = errors.New("no such range")

// Server is the live page.
type Server struct {
	opt      Options
	listener net.Listener
	http     *http.Server
	pages    *pages
	roster   *roster
	watch    *watch
	daemon   *daemon
	figures  figures
	streams  *slots
	readings *slots // of those that read the journal for one answer
	reports  *slots

	lifetime context.Context // ends when the server does; streams end with it
	end      context.CancelFunc
	active   sync.WaitGroup // the requests that are being answered
}

const (
	maxStreams  = 32
	maxReadings = 4
	maxConns    = 256
)

// Listen binds the address and makes the page ready. What is wrong with the address or the certificate is an error.
func Listen(opt Options) (*Server, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Zone == nil {
		opt.Zone = time.UTC
	}
	pages, err := loadPages()
	if err != nil {
		return nil, err
	}
	roster := newRoster(opt.Read, opt.Find)
	s := &Server{
		opt: opt, pages: pages, roster: roster, watch: newWatch(opt, roster), daemon: newDaemon(opt),
		streams: newSlots(maxStreams), readings: newSlots(maxReadings), reports: newSlots(1),
	}
	s.lifetime, s.end = context.WithCancel(context.Background())
	secure, err := tlsConfig(opt)
	if err != nil {
		return nil, err
	}
	if s.listener, err = bind(opt.Addr); err != nil {
		return nil, fmt.Errorf("serve the page: %w", err)
	}
	s.http = s.newHTTP()
	s.listener = newLimited(s.listener, maxConns)
	if secure != nil {
		s.http.TLSConfig = secure
	}
	return s, nil
}

func bind(addr string) (listener net.Listener, err error) {
	bindable, err := ingest.Resolve("tcp", addr)
	if err != nil {
		return nil, err
	}
	_, err = bindable.Bind(func(network, addr string) (err error) {
		listener, err = net.Listen(network, addr)
		return err
	})
	return listener, err
}

// newHTTP is the server without an absolute WriteTimeout, which would cut every stream: each write has a deadline instead.
func (s *Server) newHTTP() *http.Server {
	const usual, perJournal, fewest = 16 << 10, 80, 1024 // a stream's position has a Cursor of each journal
	return &http.Server{
		Handler:           newGuard(s.opt, s.handler()),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    usual + perJournal*max(fewest, len(s.opt.Read.Each())),
		BaseContext:       func(net.Listener) context.Context { return s.lifetime },
	}
}

func tlsConfig(opt Options) (*tls.Config, error) {
	if opt.Cert == "" {
		return nil, nil
	}
	certificate, err := tls.LoadX509KeyPair(opt.Cert, opt.Key)
	if err != nil {
		return nil, fmt.Errorf("read web_tls_cert and web_tls_key: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, nil
}

// Addr is the address that is bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Secure reports whether the page is served over TLS.
func (s *Server) Secure() bool { return s.http.TLSConfig != nil }

// Serve answers until ctx is done; then it ends what is open and returns.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { s.watch.run(ctx) })
	background.Go(func() { s.daemon.run(ctx) })
	stop := context.AfterFunc(ctx, func() {
		s.end()
		_ = s.http.Close() // What it could not close is closed with the process.
	})
	err := s.serve()
	stop()
	cancel()
	s.end()
	background.Wait()
	s.active.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the page: %w", err)
}

func (s *Server) serve() error {
	if s.Secure() {
		return s.http.ServeTLS(s.listener, "", "")
	}
	return s.http.Serve(s.listener)
}

// Close frees the address. It is for a Server that does not Serve.
func (s *Server) Close() error {
	s.end()
	return s.listener.Close()
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.showHome)
	mux.HandleFunc("GET /host", s.showHost)
	mux.HandleFunc("GET /messages", s.showRange)
	mux.HandleFunc("GET /events", s.stream)
	mux.HandleFunc("GET /report", s.report)
	mux.HandleFunc("GET /stats", s.stats)
	mux.Handle("GET /metrics", s.metrics())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /style.css", s.pages.asset("text/css; charset=utf-8", s.pages.style))
	mux.HandleFunc("GET /script.js", s.pages.asset("text/javascript; charset=utf-8", s.pages.script))
	mux.HandleFunc("GET /favicon.svg", s.pages.asset("image/svg+xml", s.pages.icon))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.active.Add(1)
		defer s.active.Done()
		mux.ServeHTTP(w, r)
	})
}

// writeText answers with a line of text. That the client has gone away is no fault.
func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, text)
}

// writeWithin is how long a client may take to accept what is written to it.
const writeWithin = 10 * time.Second

// extend gives the next writes their time.
func extend(w http.ResponseWriter) error {
	return http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeWithin))
}
