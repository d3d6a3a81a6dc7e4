package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hbjournal/ingest"
)

// Server answers requests about the daemon's state.
type Server struct {
	listener net.Listener
	http     *http.Server
}

// Listen binds addr, which is host:port, as ingest.Resolve reads it. Each request is answered from what snapshot returns
// then; version is shown in the metrics.
func Listen(addr, version string, snapshot func() Snapshot) (*Server, error) {
	return listen(addr, handler(version, snapshot))
}

func listen(addr string, answers http.Handler) (*Server, error) {
	bindable, err := ingest.Resolve("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve status: %w", err)
	}
	var listener net.Listener
	_, err = bindable.Bind(func(network, addr string) (err error) {
		listener, err = net.Listen(network, addr)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("serve status: %w", err)
	}
	return &Server{listener: listener, http: &http.Server{
		Handler: answers,
		// A client that is slow to ask or to read is cut off, so that it costs neither descriptors nor memory for long.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}}, nil
}

// Addr is the address that is bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers until ctx is done; then it closes what is open and returns.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.http.Close() })
	defer stop()
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve status: %w", err)
	}
	return nil
}

// Close frees the address. It is for a Server that does not Serve.
func (s *Server) Close() error { return s.listener.Close() }

func handler(version string, snapshot func() Snapshot) http.Handler {
	return newMux(
		func(w http.ResponseWriter) { writeReady(w, snapshot()) },
		func(w http.ResponseWriter) { writeStats(w, snapshot()) },
		promhttp.HandlerFor(newRegistry(&collector{version: version, snapshot: snapshot}), promhttp.HandlerOpts{MaxRequestsInFlight: 4}),
	)
}

// newMux has the requests answered.
func newMux(ready, stats func(http.ResponseWriter), metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { ready(w) })
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { stats(w) })
	mux.Handle("GET /metrics", metrics)
	return mux
}

func writeReady(w http.ResponseWriter, s Snapshot) {
	if why := s.NotReady(); why != "" {
		writeText(w, http.StatusServiceUnavailable, strings.TrimSpace("not ready\n"+why+"\n"+s.Warnings()))
		return
	}
	writeText(w, http.StatusOK, strings.TrimSpace("ready\n"+s.Warnings()))
}

// writeText ignores that the client may have gone away, as writeStats does.
func writeText(w http.ResponseWriter, code int, text string) {
	setHeaders(w, "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, text)
}

func writeStats(w http.ResponseWriter, s Snapshot) {
	setHeaders(w, "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(s)
}

func setHeaders(w http.ResponseWriter, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}
