package output

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hbjournal/sink/forward"
)

// A hostile receiver serves each connection as it likes, and counts what it got rid of.
type hostile struct {
	addr  string
	said  atomic.Int64
	conns atomic.Int64
}

func newHostile(t *testing.T, serve func(net.Conn)) *hostile {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{addr: l.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			h.conns.Add(1)
			serving.Go(func() {
				defer conn.Close()
				serve(countedConn{conn, &h.said})
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait() // Those served end when the output has left them.
	})
	return h
}

type countedConn struct {
	net.Conn
	said *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.said.Add(int64(n))
	return n, err
}

// untilLeft says text again and again, with a pause between, until the other end has gone.
func untilLeft(c net.Conn, text string, pause time.Duration) {
	if pause == 0 {
		text = strings.Repeat(text, max(1, (64<<10)/len(text)))
	}
	for {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
		if pause > 0 { // As long as that nothing comes from there either, which would be its end.
			_ = c.SetReadDeadline(time.Now().Add(pause))
			var some [4 << 10]byte
			if _, err := c.Read(some[:]); err != nil && !isLate(err) {
				return
			}
		}
	}
}

// deaf says something now and then, and reads nothing.
func deaf(c net.Conn) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(c, "x"); err != nil {
			return
		}
		<-tick.C
	}
}

func isLate(err error) bool {
	var late net.Error
	return errors.As(err, &late) && late.Timeout()
}

// silent says nothing until the other end has gone.
func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// answering reads requests, and answers each with head and then as more does.
func answering(head string, more func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if _, err := io.WriteString(c, head); err != nil || more == nil {
				return
			}
			more(c)
		}
	}
}

// goOn has the next request answered, too.
func goOn(net.Conn) {}

// bomb is a mebibyte of gzip that unfolds to a gibibyte: one member again and again.
var bomb = sync.OnceValue(func() string {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(make([]byte, 16<<20))
	_ = w.Close()
	return strings.Repeat(packed.String(), 64)
})

// withBody is an answer of 200 with a body of this type.
func withBody(kind, body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", kind, len(body), body)
}

const okHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

// hostileAnswers are what receivers over HTTP may do. Those that end in 200 say so.
func hostileAnswers() map[string]struct {
	serve func(net.Conn)
	is200 bool
} {
	type answers = struct {
		serve func(net.Conn)
		is200 bool
	}
	flood := func(text string) func(net.Conn) { return func(c net.Conn) { untilLeft(c, text, 0) } }
	return map[string]answers{
		"closes at once":             {serve: func(net.Conn) {}},
		"says nothing":               {serve: silent},
		"garbage":                    {serve: answering("\x00\xff\x16\x03 no HTTP at all\r\n\r\n", nil)},
		"garbage without an end":     {serve: answering("", flood("\x00\xff"))},
		"half a status line":         {serve: answering("HTTP/1.1 20", nil)},
		"half a header":              {serve: answering(okHead+"Content-Le", nil)},
		"half a body":                {serve: answering(okHead+"Content-Length: 100\r\n\r\n{\"items\":[", nil)},
		"half a chunk":               {serve: answering(okHead+"Transfer-Encoding: chunked\r\n\r\n20\r\n{", nil)},
		"two lengths":                {serve: answering(okHead+"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", nil)},
		"a length below 0":           {serve: answering(okHead+"Content-Length: -2\r\n\r\n{}", nil)},
		"a header without an end":    {serve: answering("HTTP/1.1 200 OK\r\nX-A: ", flood("x"))},
		"headers without an end":     {serve: answering("HTTP/1.1 200 OK\r\n", flood("X-A: b\r\n"))},
		"a body without an end":      {serve: answering(okHead+"\r\n", flood(" "))},
		"chunks without an end":      {serve: answering(okHead+"Transfer-Encoding: chunked\r\n\r\n", flood("4\r\n    \r\n"))},
		"a chunk's size without end": {serve: answering(okHead+"Transfer-Encoding: chunked\r\n\r\n1;", flood("x"))},
		"trailers without an end":    {serve: answering(okHead+"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", flood("X-T: y\r\n"))},
		"102 without an end":         {serve: answering("", flood("HTTP/1.1 102 Processing\r\n\r\n"))},
		"103 without an end":         {serve: answering("", flood("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"))},
		"100, and nothing more":      {serve: answering("HTTP/1.1 100 Continue\r\n\r\n", silent)},
		"another protocol":           {serve: answering("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", flood("x"))},
		"a header a byte at a time":  {serve: answering("HTTP/1.1 200 OK\r\nX-A: ", func(c net.Conn) { untilLeft(c, "x", 20*time.Millisecond) })},
		"a body a byte at a time":    {serve: answering(okHead+"\r\n", func(c net.Conn) { untilLeft(c, " ", 20*time.Millisecond) })},
		"wait for less than no time": {serve: answering("HTTP/1.1 429 Slow\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n", silent)},
		"wait for ever":              {serve: answering("HTTP/1.1 503 Slow\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n", silent)},
		"wait until the year 9999":   {serve: answering("HTTP/1.1 503 Slow\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", silent)},
		"a status of no kind":        {serve: answering("HTTP/1.1 999 Oh\r\nContent-Length: 0\r\n\r\n", silent)},
		"a bomb":                     {answering(okHead+fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(bomb()), bomb()), goOn), true},
		"a page":                     {answering(withBody("text/html", "<html>Sign in</html>"), goOn), true},
		"brackets without an end":    {answering(withBody("application/json", `{"items":`+strings.Repeat("[", 7<<20)), goOn), true},
		"objects without an end":     {answering(withBody("application/json", strings.Repeat(`{"a":`, 1<<17)), goOn), true},
	}
}

// TestWhateverAReceiverOverHTTPAnswersItIsTroubleInBoundedTimeAndMemory: no answer of these is taken for one, but by outputs that
// look at nothing but the status.
func TestWhateverAReceiverOverHTTPAnswersItIsTroubleInBoundedTimeAndMemory(t *testing.T) {
	token := write(t, "none")
	schemes := map[string]struct {
		options    string
		statusOnly bool
	}{
		"http": {statusOnly: true}, "victorialogs": {statusOnly: true}, "gelf+http": {statusOnly: true},
		"elasticsearch": {}, "splunk": {options: "&ack=true&token_file=" + token}, "loki": {}, "otlp": {},
	}
	for name, answers := range hostileAnswers() {
		for scheme, of := range schemes {
			t.Run(name+"/"+scheme, func(t *testing.T) {
				t.Parallel()
				h := newHostile(t, answers.serve)
				timeout := "200ms"
				if strings.HasSuffix(name, "a byte at a time") { // What moves goes on for 20 times as long.
					timeout = "50ms"
				}
				out := open(t, scheme+"://"+h.addr+"?timeout="+timeout+of.options)
				defer out.Close()
				begun := time.Now()
				r, err := out.Send(t.Context(), messages(t, `{"n":1}`, `{"n":2}`))
				if took := time.Since(begun); took > 30*time.Second { // 20 times the time that one may be silent, and a busy machine.
					t.Errorf("it took %v", took)
				}
				var trouble *forward.TroubleError
				switch {
				case errors.As(err, &trouble) && r.Acked == 0:
					if trouble.After < 0 {
						t.Errorf("it waits for %v", trouble.After)
					}
					if text := trouble.Error(); len(text) > 4<<10 || strings.Contains(text, h.addr) {
						t.Errorf("the error is of %d bytes, or shows the address: %.300q", len(text), text)
					}
				case err == nil && answers.is200 && of.statusOnly && r.Acked == 2:
				default:
					t.Errorf("got %+v, %v; want trouble", r, err)
				}
				_ = out.Close()
				const most = 24 << 20 // With all that the kernels keep between the two.
				if n := h.said.Load(); n > most {
					t.Errorf("%d bytes were taken", n)
				}
			})
		}
	}
}

// TestARedirectIsNotFollowed wants nothing of the lines and of the login to come elsewhere.
func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := newHostile(t, silent)
	for _, status := range []int{300, 301, 302, 303, 307, 308} {
		head := fmt.Sprintf("HTTP/1.1 %d Elsewhere\r\nLocation: http://%s/x\r\nContent-Length: 0\r\n\r\n", status, elsewhere.addr)
		h := newHostile(t, answering(head, silent))
		for _, scheme := range []string{"http", "victorialogs", "gelf+http", "elasticsearch", "loki", "otlp"} {
			out := open(t, scheme+"://"+h.addr+"?timeout=1s")
			_, err := out.Send(t.Context(), messages(t, `{}`))
			if classIn(err) != forward.Server || !strings.Contains(err.Error(), "redirects are not followed") {
				t.Errorf("%s, %d: got %v", scheme, status, err)
			}
			_ = out.Close()
		}
	}
	if n := elsewhere.conns.Load(); n > 0 {
		t.Errorf("%d connections went elsewhere", n)
	}
}

// TestAHandshakeThatNeverEndsIsTrouble has receivers that accept, and then say nothing, or a byte at a time, or what is no TLS.
func TestAHandshakeThatNeverEndsIsTrouble(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"nothing": silent,
		"byte by byte": func(c net.Conn) {
			io.WriteString(c, "\x16\x03\x03\x40\x00\x02")
			untilLeft(c, "\x00", 20*time.Millisecond)
		},
		"records of 0":   func(c net.Conn) { untilLeft(c, "\x16\x03\x03\x00\x00", 0) },
		"alerts, no end": func(c net.Conn) { untilLeft(c, "\x15\x03\x03\x00\x02\x01\x5a", 0) },
		"text":           func(c net.Conn) { untilLeft(c, "220 mail.example ESMTP\r\n", 0) },
	} {
		for _, scheme := range []string{"https", "elasticsearch+https", "syslog+tls", "cef+tls", "gelf+tls", "nats+tls", "kafka+tls"} {
			t.Run(name+"/"+scheme, func(t *testing.T) {
				t.Parallel()
				h := newHostile(t, serve)
				path := ""
				if strings.HasPrefix(scheme, "kafka") {
					path = "/topic"
				}
				out := open(t, scheme+"://"+h.addr+path+"?timeout=500ms")
				h.wantTrouble(t, out, messages(t, `{}`))
			})
		}
	}
}

// wantTrouble sends and wants that nothing is taken for confirmed, soon, and with little taken of what it says.
func (h *hostile) wantTrouble(t *testing.T, out forward.Output, b *forward.Batch) {
	t.Helper()
	begun := time.Now()
	if r, err := out.Send(t.Context(), b); classIn(err) == "none" || r.Acked != 0 {
		t.Errorf("got %+v, %v; want trouble", r, err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	_ = out.Close()
	if n := h.said.Load(); n > 24<<20 {
		t.Errorf("%d bytes were taken", n)
	}
}

// TestWhateverAReceiverOverTCPSaysItIsTrouble is of those that are to say nothing.
func TestWhateverAReceiverOverTCPSaysItIsTrouble(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"closes at once":        func(net.Conn) {},
		"resets":                func(c net.Conn) { _ = c.(countedConn).Conn.(*net.TCPConn).SetLinger(0) },
		"reads, and never ends": silent,
		"reads nothing":         deaf,
		"talks without an end":  func(c net.Conn) { untilLeft(c, "220 mail.example ESMTP\r\n", 0) },
	} {
		for _, scheme := range []string{"syslog+tcp", "cef+tcp", "gelf+tcp"} {
			t.Run(name+"/"+scheme, func(t *testing.T) {
				t.Parallel()
				stay := make(chan struct{})
				h := newHostile(t, func(c net.Conn) {
					serve(c)
					if name == "reads, and never ends" {
						<-stay
					}
				})
				defer close(stay)
				out := open(t, scheme+"://"+h.addr+"?timeout=300ms")
				h.wantTrouble(t, out, messages(t, beats(2000, 2000)...))
			})
		}
	}
}

// TestWhateverAnEngineAnswersIsTrouble is of servers of NATS and brokers of Kafka that are none.
func TestWhateverAnEngineAnswersIsTrouble(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"closes at once":         func(net.Conn) {},
		"says nothing":           silent,
		"garbage":                func(c net.Conn) { io.WriteString(c, "\x00\xff\x16\x03 no protocol at all\r\n\r\n") },
		"garbage without an end": func(c net.Conn) { untilLeft(c, "\x00\xff", 0) },
		"HTTP":                   answering("HTTP/1.1 400 Bad Request\r\n\r\n", nil),
		"byte by byte":           func(c net.Conn) { untilLeft(c, "I", 20*time.Millisecond) },
		"a frame of two GiB":     func(c net.Conn) { io.WriteString(c, "\x7f\xff\xff\xff"); untilLeft(c, "x", 0) },
		"a frame below 0":        func(c net.Conn) { io.WriteString(c, "\xff\xff\xff\xff"); untilLeft(c, "x", 0) },
		"frames of nothing":      func(c net.Conn) { untilLeft(c, "\x00\x00\x00\x00", 0) },
		"many items, none there": func(c net.Conn) {
			io.WriteString(c, "\x00\x00\x00\x0e\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00")
			silent(c)
		},
	} {
		for _, scheme := range []string{"nats", "kafka"} {
			t.Run(name+"/"+scheme, func(t *testing.T) {
				t.Parallel()
				h := newHostile(t, serve)
				url := scheme + "://" + h.addr
				if scheme == "kafka" {
					url += "/topic"
				}
				out := open(t, url+"?timeout=500ms")
				begun := time.Now()
				if r, err := out.Send(t.Context(), messages(t, `{}`)); classIn(err) == "none" || r.Acked != 0 {
					t.Errorf("got %+v, %v; want trouble", r, err)
				}
				if _, _, err := out.(forward.Resumer).Position(t.Context(), "j"); classIn(err) == "none" {
					t.Errorf("its position: got %v; want trouble", err)
				}
				if took := time.Since(begun); took > 30*time.Second {
					t.Errorf("it took %v", took)
				}
				_ = out.Close()
				if n := h.said.Load(); n > 160<<20 { // Over some connections: the library of Kafka reads frames of up to 100 MiB.
					t.Errorf("%d bytes were taken", n)
				}
			})
		}
	}
}
