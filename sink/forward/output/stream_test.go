package output

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hbjournal/scripts/freeport"
	"hbjournal/sink/forward"
)

// receiver is a fake that takes streams, and keeps what it got of each connection.
type receiver struct {
	listener net.Listener
	serve    func(n int, conn net.Conn, got *bytes.Buffer) // what it does with its n-th connection, from 0; then that is closed

	accepted chan struct{} // gets one for each connection

	wg   sync.WaitGroup
	mu   sync.Mutex
	got  []*bytes.Buffer
	open []net.Conn
}

// polite reads everything until the sender's end.
func polite(_ int, conn net.Conn, got *bytes.Buffer) { io.Copy(got, conn) }

func newReceiver(t testing.TB, config *tls.Config, serve func(int, net.Conn, *bytes.Buffer)) *receiver {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	r := &receiver{listener: listener, serve: serve, accepted: make(chan struct{}, 100)}
	r.wg.Go(r.run)
	t.Cleanup(r.close)
	return r
}

func (r *receiver) run() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		got := &bytes.Buffer{}
		r.mu.Lock()
		n := len(r.got)
		r.got, r.open = append(r.got, got), append(r.open, conn)
		r.mu.Unlock()
		r.accepted <- struct{}{}
		r.wg.Go(func() {
			defer conn.Close()
			r.serve(n, conn, got)
		})
	}
}

func (r *receiver) addr() string { return r.listener.Addr().String() }

// close ends the receiver; what it got may be looked at then.
func (r *receiver) close() {
	r.listener.Close()
	r.mu.Lock()
	for _, conn := range r.open {
		conn.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// counted takes a stream of octet-counted messages apart.
func counted(t testing.TB, stream []byte) (all []string) {
	t.Helper()
	for r := bufio.NewReader(bytes.NewReader(stream)); ; {
		head, err := r.ReadString(' ')
		if err == io.EOF && head == "" {
			return all
		}
		n, err := strconv.Atoi(strings.TrimSuffix(head, " "))
		if err != nil {
			t.Fatalf("length of message %d: %q", len(all), head)
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(r, message); err != nil {
			t.Fatalf("message %d is cut: %v", len(all), err)
		}
		all = append(all, string(message))
	}
}

func mustSend(t testing.TB, out forward.Output, b *forward.Batch) forward.Receipt {
	t.Helper()
	r, err := out.Send(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if r.Acked != b.Len() {
		t.Errorf("acked: got %d, want %d", r.Acked, b.Len())
	}
	return r
}

// mustTrouble sends, and wants trouble of this class and nothing acknowledged.
func mustTrouble(t testing.TB, out forward.Output, b *forward.Batch, want forward.Class) error {
	t.Helper()
	r, err := out.Send(t.Context(), b)
	var trouble *forward.TroubleError
	if !errors.As(err, &trouble) || trouble.Class != want {
		t.Fatalf("got %v of class %s, want trouble of class %s", err, classIn(err), want)
	}
	if r.Acked != 0 {
		t.Errorf("acked: got %d, want 0", r.Acked)
	}
	return err
}

func classIn(err error) forward.Class {
	var trouble *forward.TroubleError
	if errors.As(err, &trouble) {
		return trouble.Class
	}
	return "none"
}

func TestSyslogOverTCPCountsOctetsAndIsConfirmedByTheReceiversEnd(t *testing.T) {
	r := newReceiver(t, nil, polite)
	out := open(t, "syslog+tcp://"+r.addr()+"?facility=daemon&app=a&sd_id=x@1")
	mustSend(t, out, messages(t, `{"ID":"HTB","name":"ü\u0000\n"}`, `{"n":2}`))
	mustSend(t, out, messages(t, `{"n":3}`))
	r.close()
	if len(r.got) != 4 || r.got[1].Len() > 0 || r.got[3].Len() > 0 {
		t.Fatalf("connections: got %d, want one a batch, and one without messages behind each", len(r.got))
	}
	got := counted(t, r.got[0].Bytes())
	want := `<30>1 2026-03-28T12:00:00.007Z ___ a - HTB [x@1 ip="10.0.0.1" port="50003" id="`
	if len(got) != 2 || !strings.HasPrefix(got[0], want) || !strings.HasSuffix(got[0], `] {"ID":"HTB","name":"ü\u0000\n"}`) {
		t.Errorf("got %q, want %q...", got, want)
	}
	if last := counted(t, r.got[2].Bytes()); len(last) != 1 || !strings.Contains(last[0], `{"n":3}`) {
		t.Errorf("second connection: got %q", last)
	}
}

func TestALargeBatchArrivesWhole(t *testing.T) {
	r := newReceiver(t, nil, polite)
	all := beats(20_000, 200)
	mustSend(t, open(t, "syslog+tcp://"+r.addr()), messages(t, all...))
	r.close()
	got := counted(t, r.got[0].Bytes())
	if len(got) != len(all) {
		t.Fatalf("got %d messages, want %d", len(got), len(all))
	}
	for i, message := range got {
		if !strings.HasSuffix(message, all[i]) {
			t.Fatalf("message %d: got %q", i, message)
		}
	}
}

func TestAReceiverThatEndsBeforeItHasReadAllConfirmsNothing(t *testing.T) {
	f := func(name string, serve func(int, net.Conn, *bytes.Buffer)) {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, nil, func(n int, conn net.Conn, got *bytes.Buffer) {
				if n > 0 {
					polite(n, conn, got)
					return
				}
				serve(n, conn, got)
			})
			out := open(t, "syslog+tcp://"+r.addr())
			b := messages(t, beats(5000, 1000)...)
			if receipt, err := out.Send(t.Context(), b); err == nil || receipt.Acked != 0 {
				t.Fatalf("got %+v, %v; want an error", receipt, err)
			}
			mustSend(t, out, b)
			r.close()
			if got := counted(t, r.got[len(r.got)-2].Bytes()); len(got) != b.Len() {
				t.Errorf("got %d messages, want %d", len(got), b.Len())
			}
		})
	}
	f("closes at once", func(int, net.Conn, *bytes.Buffer) {})
	f("reads a part", func(_ int, conn net.Conn, got *bytes.Buffer) { io.CopyN(got, conn, 1_000_000) })
	f("is killed", func(_ int, conn net.Conn, got *bytes.Buffer) {
		io.CopyN(got, conn, 4_000_000)
		conn.(*net.TCPConn).SetLinger(0)
	})
	f("ends its side first", func(_ int, conn net.Conn, got *bytes.Buffer) {
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(got, conn)
	})
	f("talks without end", func(_ int, conn net.Conn, got *bytes.Buffer) {
		go io.Copy(io.Discard, conn)
		for {
			if _, err := conn.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	})
}

// The end of the receiver's side is no proof alone: bytes that its kernel has not said to hold were never read.
func TestAnEndBeforeTheLastBytesConfirmsNothing(t *testing.T) {
	full, done := make(chan struct{}), make(chan struct{})
	r := newReceiver(t, nil, func(_ int, conn net.Conn, _ *bytes.Buffer) {
		<-full
		conn.(*net.TCPConn).CloseWrite()
		<-done
	})
	defer close(done)
	s := open(t, "syslog+tcp://"+r.addr()+"?timeout=200ms").(*byteStream)
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n, piece := 1, make([]byte, 1<<20); n > 0; { // Until the kernels on both sides are full, however long that takes.
		var err error
		s.conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		if n, err = s.conn.Write(piece); n < len(piece) && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a receiver that does not read: got %v", err)
		}
	}
	if err := s.halfClose(); err != nil {
		t.Fatal(err)
	}
	close(full)
	if err := s.closed(t.Context()); classIn(err) != forward.Ambiguous || !strings.Contains(err.Error(), "unacknowledged") {
		t.Errorf("got %v, want it ambiguous", err)
	}
}

func TestAReceiverThatNeverClosesIsTrouble(t *testing.T) {
	done := make(chan struct{})
	r := newReceiver(t, nil, func(_ int, conn net.Conn, got *bytes.Buffer) {
		polite(0, conn, got)
		<-done
	})
	defer close(done)
	out := open(t, "syslog+tcp://"+r.addr()+"?timeout=50ms")
	err := mustTrouble(t, out, messages(t, `{}`), forward.Ambiguous)
	if !strings.Contains(err.Error(), "timeout=50ms") {
		t.Errorf("got %q, which does not name the setting", err)
	}
}

func TestASendOverAStreamEndsWithItsContext(t *testing.T) {
	done, reached := make(chan struct{}), make(chan struct{})
	r := newReceiver(t, nil, func(_ int, conn net.Conn, got *bytes.Buffer) {
		polite(0, conn, got)
		close(reached)
		<-done
	})
	defer close(done)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	_, err := open(t, "syslog+tcp://"+r.addr()).Send(ctx, messages(t, `{}`))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestConfirmingByTheKernelKeepsOneConnection(t *testing.T) {
	for _, confirm := range []string{"outq", "none"} {
		r := newReceiver(t, nil, polite)
		out := open(t, "syslog+tcp://"+r.addr()+"?frame=lf&confirm="+confirm)
		for n := range 3 {
			mustSend(t, out, messages(t, fmt.Sprintf(`{"n":%d}`, n)))
		}
		<-r.accepted
		out.Close()
		r.listener.Close()
		r.wg.Wait()
		if len(r.got) != 1 || strings.Count(r.got[0].String(), "\n") != 3 {
			t.Errorf("confirm=%s: got %d connections, the first with %q", confirm, len(r.got), r.got[0])
		}
	}
}

func TestAnotherConnectionIsMadeWhenTheReceiverClosedTheLast(t *testing.T) {
	r := newReceiver(t, nil, func(n int, conn net.Conn, got *bytes.Buffer) {
		if n == 0 {
			bufio.NewReader(io.TeeReader(conn, got)).ReadString('\n')
			return
		}
		polite(n, conn, got)
	})
	s := open(t, "syslog+tcp://"+r.addr()+"?frame=lf&confirm=none").(*byteStream)
	mustSend(t, s, messages(t, `{"n":1}`))
	<-s.ended
	mustSend(t, s, messages(t, `{"n":2}`))
	for range 2 {
		<-r.accepted
	}
	s.Close()
	r.listener.Close()
	r.wg.Wait()
	if len(r.got) != 2 || !strings.Contains(r.got[1].String(), `{"n":2}`) {
		t.Errorf("got %d connections", len(r.got))
	}
}

func TestWhatCannotBeSentIsRefusedByName(t *testing.T) {
	r := newReceiver(t, nil, polite)
	b := messages(t, `{"n":1}`, `{"long":"`+strings.Repeat("x", 500)+`"}`, `{"n":3}`)
	both := batchOf(string(b.Line(0)), string(b.Line(1)), "no entry at all", string(b.Line(2)))
	receipt := mustSend(t, open(t, "syslog+tcp://"+r.addr()+"?max_len=400"), both)
	if got := fmt.Sprint(codes(receipt)); got != "[1 too_long 2 malformed]" {
		t.Errorf("refused: got %s", got)
	}
	r.close()
	if got := counted(t, r.got[0].Bytes()); len(got) != 2 || !strings.HasSuffix(got[1], `{"n":3}`) {
		t.Errorf("got %q", got)
	}
}

// codes are the refused lines with their codes.
func codes(r forward.Receipt) (all []any) {
	for _, refused := range r.Refused {
		all = append(all, refused.Line, refused.Code)
	}
	return all
}

func TestSyslogOverTLSKnowsItsReceiver(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", nil)
	a.issue("other", []string{"other.example"})
	a.issue("client", nil)
	r := newReceiver(t, a.server("server", true), polite)
	ca, pair := "?ca="+a.file("ca.crt"), "&cert="+a.file("client.crt")+"&key="+a.file("client.key")
	b := messages(t, beats(2000, 500)...)
	mustSend(t, open(t, "syslog+tls://"+r.addr()+ca+pair), b)
	mustTrouble(t, open(t, "syslog+tls://"+r.addr()+"?"+pair[1:]), b, forward.TLS)
	mustTrouble(t, open(t, "syslog+tls://"+r.addr()+ca+pair+"&server_name=other.example"), b, forward.TLS)
	r.close()
	if got := counted(t, r.got[0].Bytes()); len(got) != b.Len() {
		t.Errorf("got %d messages, want %d", len(got), b.Len())
	}
	named := newReceiver(t, a.server("other", false), polite)
	mustTrouble(t, open(t, "syslog+tls://"+named.addr()+ca), b, forward.TLS)
	mustSend(t, open(t, "syslog+tls://"+named.addr()+ca+"&server_name=other.example"), b)
}

// goodbyes is a receiver over TLS that ends its n-th connection with close_notify only if says(n).
func goodbyes(t *testing.T, says func(n int) bool) (url string) {
	t.Helper()
	a := newAuthority(t)
	a.issue("server", nil)
	r := newReceiver(t, a.server("server", false), func(n int, conn net.Conn, got *bytes.Buffer) {
		io.Copy(got, conn)
		if !says(n) {
			conn.(*tls.Conn).NetConn().Close()
		}
	})
	return "syslog+tls://" + r.addr() + "?ca=" + a.file("ca.crt")
}

func TestAReceiverThatSaysGoodbyeConfirmsNothingWithoutIt(t *testing.T) {
	out := open(t, goodbyes(t, func(n int) bool { return n != 0 && n != 3 }))
	b := messages(t, `{}`)
	mustTrouble(t, out, b, forward.Ambiguous) // connection 0, and 1 to find out
	mustSend(t, out, b)                       // 2
	mustTrouble(t, out, b, forward.Ambiguous) // 3 and 4
	mustSend(t, out, b)
}

func TestAReceiverThatNeverSaysGoodbyeConfirmsWithoutIt(t *testing.T) {
	var asked atomic.Int32
	out := open(t, goodbyes(t, func(n int) bool {
		asked.Add(1)
		return n > 3
	}))
	b := messages(t, `{}`)
	mustSend(t, out, b) // connection 0, and 1 to find out
	mustSend(t, out, b) // 2 and 3
	mustSend(t, out, b) // It says it from now on.
	if n := asked.Load(); n != 5 {
		t.Errorf("connections: got %d, want 5", n)
	}
}

// What a process has read and not stored goes with it, and the end of its connections looks like any other.
func TestAReceiverThatIsGoneBehindItsEndConfirmsNothing(t *testing.T) {
	var gone *receiver
	known := make(chan struct{})
	gone = newReceiver(t, nil, func(_ int, conn net.Conn, got *bytes.Buffer) {
		io.Copy(got, conn)
		<-known
		gone.listener.Close()
	})
	close(known)
	b := messages(t, `{}`)
	mustTrouble(t, open(t, "syslog+tcp://"+gone.addr()), b, forward.Ambiguous)

	resets := newReceiver(t, nil, func(n int, conn net.Conn, got *bytes.Buffer) {
		if io.Copy(got, conn); n == 1 {
			conn.(*net.TCPConn).SetLinger(0)
		}
	})
	out := open(t, "syslog+tcp://"+resets.addr())
	mustTrouble(t, out, b, forward.Ambiguous) // connections 0 and 1
	mustSend(t, out, b)
}

func TestAClientsCertificateIsReadAnewAtEachConnection(t *testing.T) {
	a, strange := newAuthority(t), newAuthority(t)
	a.issue("server", nil)
	strange.issue("client", nil)
	r := newReceiver(t, a.server("server", true), polite)
	out := open(t, "syslog+tls://"+r.addr()+"?ca="+a.file("ca.crt")+"&cert="+a.file("client.crt")+"&key="+a.file("client.key"))
	b := messages(t, `{"n":1}`)
	if _, err := out.Send(t.Context(), b); err == nil || !strings.Contains(err.Error(), "client.crt") {
		t.Fatalf("without the files: got %v", err)
	}
	for _, end := range []string{".crt", ".key"} {
		copyFile(t, strange.file("client"+end), a.file("client"+end))
	}
	if receipt, err := out.Send(t.Context(), b); err == nil {
		t.Fatalf("with a stranger's: got %+v", receipt)
	}
	a.issue("client", nil)
	mustSend(t, out, b)
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAReceiverThatIsNotThereIsTroubleOfTheNetwork(t *testing.T) {
	address := freeport.Must(t).Addr()
	for _, url := range []string{"syslog+tcp://" + address, "syslog+tls://" + address, "cef+tcp://" + address, "gelf+tcp://" + address} {
		err := mustTrouble(t, open(t, url), messages(t, `{}`), forward.Network)
		if strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: the error shows an address: %v", url, err)
		}
	}
	plain := newReceiver(t, nil, func(_ int, conn net.Conn, got *bytes.Buffer) {
		conn.Write([]byte("220 hello\r\n"))
		polite(0, conn, got)
	})
	mustTrouble(t, open(t, "syslog+tls://"+plain.addr()), messages(t, `{}`), forward.TLS)
}

func TestCEFOverTCPIsALineOfSyslogEach(t *testing.T) {
	r := newReceiver(t, nil, polite)
	b := messages(t, `{"ID":"PLG","name":"a\r\nb","plugin":"c|d"}`, `{"n":2}`)
	mustSend(t, open(t, "cef+tcp://"+r.addr()+"?vendor=V&version=2&severity=notice"), b)
	r.close()
	lines := strings.Split(r.got[0].String(), "\n")
	want := `<133>Mar 28 12:00:00 a__b CEF:0|V|hbjournal|2|PLG|PLG c\|d a b|1|rt=1774699200007 src=10.0.0.1 spt=50003 shost=a\r\nb` +
		` cs1Label=plugin cs1=c|d externalId=` + b.ID(0) + ` msg={"ID":"PLG","name":"a\\r\\nb","plugin":"c|d"}`
	if len(lines) != 3 || lines[0] != want {
		t.Errorf("got  %q\nwant %q and another", r.got[0], want)
	}
}

func TestGELFOverTCPEndsMessagesWithNUL(t *testing.T) {
	r := newReceiver(t, nil, polite)
	mustSend(t, open(t, "gelf+tcp://"+r.addr()), messages(t, `{"a":"\u0000"}`, `{"n":2}`))
	r.close()
	all := strings.Split(r.got[0].String(), "\x00")
	if len(all) != 3 || all[2] != "" || !strings.HasPrefix(all[1], `{"version":"1.1","host":"10.0.0.1",`) {
		t.Errorf("got %q", all)
	}
}
