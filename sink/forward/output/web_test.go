package output

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"hbjournal/sink/forward"
	"hbjournal/sink/journal/read"
)

// open makes the output of a URL.
func open(t *testing.T, raw string) forward.Output {
	t.Helper()
	target, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, err := target.Open(Identity{Journal: "j", Receiver: "r"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	return out
}

// batchOf is a batch of these lines.
func batchOf(lines ...string) *forward.Batch {
	at := read.Cursor{First: 1}
	b := forward.NewBatch("j", 7, at)
	for _, line := range lines {
		next := at
		next.Offset += int64(len(line)) + 1
		b.Add([]byte(line), at, next)
		at = next
	}
	return b
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestABatchIsPostedAsLines(t *testing.T) {
	type got struct {
		header http.Header
		body   string
	}
	requests := make(chan got, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(unsqueeze(t, r))
		requests <- got{r.Header, string(body)}
	}))
	defer server.Close()
	f := func(options, wantBody, wantAuthorization string) {
		t.Helper()
		b := batchOf(`{"a":1}`, `{"b":2}`)
		receipt, err := open(t, server.URL+"/in?"+options).Send(t.Context(), b)
		if err != nil || receipt.Acked != 2 {
			t.Fatalf("%s: got %+v, %v", options, receipt, err)
		}
		r := <-requests
		if r.body != wantBody {
			t.Errorf("%s: body: got %q, want %q", options, r.body, wantBody)
		}
		if got := r.header.Get("Authorization"); got != wantAuthorization {
			t.Errorf("%s: Authorization: got %q, want %q", options, got, wantAuthorization)
		}
		if got := r.header.Get("Idempotency-Key"); got != b.ID(0) {
			t.Errorf("%s: Idempotency-Key: got %q, want %q", options, got, b.ID(0))
		}
		if got := r.header.Get("Hbj-N"); got != "7" {
			t.Errorf("%s: Hbj-N: got %q", options, got)
		}
	}
	const lines = "{\"a\":1}\n{\"b\":2}\n"
	f("", lines, "")
	f("compress=gzip", lines, "")
	f("compress=zstd", lines, "")
	f("content_type=json", "[{\"a\":1},\n{\"b\":2}]", "")
	f("token_file="+write(t, "secret\n"), lines, "Bearer secret")
	f("user=u&password_file="+write(t, "p"), lines, "Basic dTpw")
	f("header_file="+write(t, "# mine\nAuthorization: Own x\n"), lines, "Own x")
}

func unsqueeze(t *testing.T, r *http.Request) io.Reader {
	switch r.Header.Get("Content-Encoding") {
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return r.Body
		}
		return z
	case "zstd":
		z, err := zstd.NewReader(r.Body, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Error(err)
		}
		return z
	}
	return r.Body
}

func TestAnswersAreTroubleOrBlameTheLines(t *testing.T) {
	var status int
	var header, text string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", header)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	defer server.Close()
	out := open(t, server.URL)
	send := func(s int, h, body string) error {
		status, header, text = s, h, body
		_, err := out.Send(t.Context(), batchOf("{}"))
		return err
	}
	trouble := func(s int, h string, want forward.Class, after time.Duration) {
		t.Helper()
		var got *forward.TroubleError
		if err := send(s, h, ""); !errors.As(err, &got) || got.Class != want || got.After != after {
			t.Errorf("%d: got %v of class %v after %v, want %s after %v", s, err, got.Class, got.After, want, after)
		}
	}
	trouble(401, "", forward.Auth, 0)
	trouble(403, "", forward.Auth, 0)
	trouble(407, "", forward.Auth, 0)
	trouble(404, "", forward.Server, 0)
	trouble(408, "", forward.Server, 0)
	trouble(429, "7", forward.Throttled, 7*time.Second)
	trouble(503, "nonsense", forward.Server, 0)
	trouble(302, "", forward.Server, 0)
	for _, s := range []int{400, 413, 422} {
		var got *forward.RefusedError
		if err := send(s, "", " no such field\n"); !errors.As(err, &got) || got.Reason != "no such field" {
			t.Errorf("%d: got %v, want a refusal", s, err)
		}
	}
	var got *forward.TroubleError
	if err := send(200, "", strings.Repeat("x", maxAnswer+1)); !errors.As(err, &got) || got.Class != forward.Ambiguous {
		t.Errorf("an answer without end: got %v, want %s", err, forward.Ambiguous)
	}
	if err := send(200, "", ""); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// rawServer gives each connection to serve, and closes it afterwards.
func rawServer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func TestTroubleOnTheWayHasItsClass(t *testing.T) {
	f := func(name, raw string, want forward.Class) {
		t.Helper()
		_, err := open(t, raw).Send(t.Context(), batchOf("{}"))
		var got *forward.TroubleError
		if !errors.As(err, &got) || got.Class != want {
			t.Errorf("%s: got %v, want class %s", name, err, want)
			return
		}
		if strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: the error shows the path: %v", name, err)
		}
	}
	f("nobody listens", "http://127.0.0.1:1/hidden", forward.Network)
	f("a name that is none", "http://no.such.host.invalid/hidden", forward.Network)
	f("closed without an answer", "http://"+rawServer(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 10)) })+"/hidden", forward.Ambiguous)
	f("garbage", "http://"+rawServer(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0\r\n\r\n") })+"/hidden", forward.Ambiguous)
	f("half an answer", "http://"+rawServer(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
	})+"/hidden", forward.Ambiguous)
	f("silence", "http://"+rawServer(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })+"/hidden?timeout=50ms", forward.Ambiguous)
	f("no TLS there", "https://"+rawServer(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })+"/hidden", forward.TLS)

	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	f("a certificate of nobody known", server.URL+"/hidden", forward.TLS)
	ca := write(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	f("another name", server.URL+"/hidden?server_name=other.example&ca="+ca, forward.TLS)
	f("a certificate that is known", server.URL+"/hidden?ca="+ca, forward.Server)
	f("a token file that is not there", server.URL+"/hidden?token_file=/no/such/file", forward.Auth)
}

func TestAHeaderThatIsNoneIsNotShown(t *testing.T) {
	for _, text := range []string{"Bearer s3cret:x", "s3cret x", ": s3cret", "X-A: b\x00s3cret", "s3crét: x"} {
		_, err := open(t, "http://127.0.0.1:1/?header_file="+write(t, "# mine\n"+text)).Send(t.Context(), batchOf("{}"))
		var got *forward.TroubleError
		if !errors.As(err, &got) || got.Class != forward.Auth || !strings.Contains(err.Error(), "line 2 is not") || strings.Contains(err.Error(), "s3cr") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := rawServer(t, func(c net.Conn) {
		cancel()
		_, _ = io.Copy(io.Discard, c)
	})
	if _, err := open(t, "http://"+address).Send(ctx, batchOf("{}")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAConnectionIsMadeAnewAfterItsTime(t *testing.T) {
	var from []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { from = append(from, r.RemoteAddr) }))
	defer server.Close()
	for _, options := range []string{"max_conn_age=1h", "max_conn_age=1ns"} {
		from = nil
		out := open(t, server.URL+"?"+options)
		for range 2 {
			if _, err := out.Send(t.Context(), batchOf("{}")); err != nil {
				t.Fatal(err)
			}
		}
		if same := from[0] == from[1]; same != (options == "max_conn_age=1h") {
			t.Errorf("%s: the connection stayed: %v", options, same)
		}
	}
}

func TestAnEarlyAnswerDoesNotRaceWithTheBody(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) }))
	defer server.Close()
	out := open(t, server.URL+"?compress=gzip").(*httpOutput)
	out.Compress = "none"
	text := bytes.Repeat([]byte("x"), 8<<20)
	for range 4 {
		if _, err := out.do(t.Context(), call{path: "/", body: text}); err == nil {
			clear(text)
		}
	}
}

func TestURLsThatNoHTTPOutputCanBeMadeOf(t *testing.T) {
	f := func(raw, want string) {
		t.Helper()
		_, err := Parse(raw)
		if !errors.Is(err, ErrURL) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", raw, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error shows a secret: %v", raw, err)
		}
	}
	f("http://a,b/", "one host")
	f("http://u:s3cret@a/", "password_file")
	f("http://a/?proxy=http://u:s3cret@p:1/", "proxy holds a user")
	f("http://a/?token=s3cret", "token_file")
	f("http://a/?compress=lz4", "none, gzip, zstd")
	f("http://a/?timeout=0", "timeout must be longer than 0")
	f("http://a:99999/", "a port from 1 to 65535")
	f("http://a b/", "a port from 1 to 65535")
	f("http://a/?methud=PUT", `unknown option "methud"; there are`)
}
