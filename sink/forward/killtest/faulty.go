package killtest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"hbjournal/scripts/freeport"
)

// A Fault is what becomes of one request.
type Fault int

// The faults of a receiver over HTTP, and of the way to it.
const (
	None       Fault = iota
	CutBefore        // the connection is cut before the receiver has seen the request
	LostAnswer       // the receiver has done what was asked, and the connection is cut
	HalfAnswer       // the same, within the answer
	Garbage          // the same, and what comes is no HTTP
	NoAnswer         // the same, and nothing comes until the sender has given up
	Storm            // 429, with nothing done
	Broken           // 503, with nothing done
)

// Faulty puts faults into a receiver: plan says what becomes of the i-th request, from 0.
type Faulty struct {
	Handler http.Handler
	Plan    func(i int) Fault

	mu    sync.Mutex
	count int
}

// ServeHTTP implements http.Handler.
func (f *Faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	fault := f.Plan(f.count)
	f.count++
	f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // The sender has gone away.
	}
	switch fault {
	case CutBefore:
		panic(http.ErrAbortHandler)
	case Storm:
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case Broken:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	f.Handler.ServeHTTP(answer, r)
	switch fault {
	case None:
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	case LostAnswer:
		panic(http.ErrAbortHandler)
	case NoAnswer:
		<-r.Context().Done()
	case HalfAnswer:
		hijacked(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"took\":3,\"err")
	case Garbage:
		hijacked(w, "\x00\x01SSH-2.0-nothing of HTTP\r\n\r\n")
	}
}

// hijacked answers with this text, and ends the connection.
func hijacked(w http.ResponseWriter, text string) {
	conn, buffer, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = bufio.NewWriter(buffer).WriteString(text)
	_, _ = io.WriteString(conn, text)
}

// An HTTP is a receiver of lines over HTTP in this process, that keeps what it takes.
type HTTP struct {
	URL string

	mu     sync.Mutex
	text   []byte
	bodies map[string]string // by Idempotency-Key
	unlike int
	poison []byte
	faulty *Faulty
	server *httptest.Server
}

// NewHTTP starts it. Plan may be nil.
func NewHTTP(t testing.TB, plan func(i int) Fault) *HTTP {
	if plan == nil {
		plan = func(int) Fault { return None }
	}
	h := &HTTP{bodies: make(map[string]string)}
	h.faulty = &Faulty{Handler: http.HandlerFunc(h.take), Plan: plan}
	h.server = serveAt(t, freeport.Must(t).Addr(), h.faulty)
	h.URL = h.server.URL
	return h
}

// Refuse makes it answer 400 to bodies with this text in them.
func (h *HTTP) Refuse(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.poison = []byte(text)
}

func (h *HTTP) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.poison) > 0 && bytes.Contains(body, h.poison) {
		http.Error(w, "a line that nobody can read", http.StatusBadRequest)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if before, again := h.bodies[key]; again && before != string(body) {
		h.unlike++
	}
	h.bodies[key] = string(body)
	h.text = append(h.text, body...)
}

// Text is all that it was given.
func (h *HTTP) Text() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Clone(h.text)
}

// Unlike is how many batches came again with other bytes.
func (h *HTTP) Unlike() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unlike
}

// Close ends it.
func (h *HTTP) Close() {
	h.server.CloseClientConnections()
	h.server.Close()
}

func splitLines(text []byte) [][]byte {
	if len(text) == 0 {
		return nil
	}
	return bytes.Split(bytes.TrimSuffix(text, []byte{'\n'}), []byte{'\n'})
}

// serveAt serves at an address, at which somebody may have listened before. A process that is being started holds that for a moment.
func serveAt(t testing.TB, address string, handler http.Handler) *httptest.Server {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	for end := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(end); {
		listener, err = net.Listen("tcp", address)
	}
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	return server
}
