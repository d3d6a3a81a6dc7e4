package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hbjournal/sink"
)

// pipes is a listener of connections within the process, whose deadlines go by the clock of the test.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9504} }

// ask sends a request for a path on a connection of its own.
func (p *pipes) ask(tb testing.TB, path string) net.Conn {
	tb.Helper()
	client, server := net.Pipe()
	p.dialed <- server
	if _, err := io.WriteString(client, "GET "+path+" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"); err != nil {
		tb.Fatal(err)
	}
	return client
}

// code reads an answer, and returns its code.
func code(tb testing.TB, c net.Conn) int {
	tb.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		tb.Fatal(err)
	}
	return answer.StatusCode
}

// bubble runs a test with a server whose clock is that of the test: what takes half a minute takes no time.
func bubble(t *testing.T, opt Options, do func(t *testing.T, s *Server, p *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		opt.Addr, opt.Title = "127.0.0.1:0", "rx1"
		s, err := Listen(opt)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.listener.Close(); err != nil {
			t.Fatal(err)
		}
		p := &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}
		s.listener = p
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("serve: %v", err)
			}
		}()
		do(t, s, p)
	})
}

// A client that asks and then does not read has what it asked for, and nobody waits for it.
func TestAReportThatNobodyReadsKeepsNoOtherFromBeingMade(t *testing.T) {
	opt := oneJournal(t.TempDir())
	opt.Report = func(_ context.Context, w io.Writer, _, _ string) error {
		_, err := w.Write(make([]byte, 32<<20))
		return err
	}
	s, address := served(t, opt)
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /report HTTP/1.1\r\nHost: %s\r\n\r\n", s.Addr())
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if code, _, _ := get(t, address+"/report"); code != http.StatusOK {
		t.Errorf("a second report: got %d, want 200", code)
	}
}

// endless is a report that is never done. It tells when it began, and when it was given up.
func endless() (report func(context.Context, io.Writer, string, string) error, began, ended chan time.Time) {
	began, ended = make(chan time.Time, 8), make(chan time.Time, 8)
	return func(ctx context.Context, _ io.Writer, _, _ string) error {
		began <- time.Now()
		<-ctx.Done()
		ended <- time.Now()
		return ctx.Err()
	}, began, ended
}

func TestAReportIsGivenUpAfterItsTimeAndOneIsMadeAtOnce(t *testing.T) {
	opt := oneJournal(t.TempDir())
	bubble(t, opt, func(t *testing.T, s *Server, p *pipes) {
		report, began, ended := endless()
		s.opt.Report = report
		first := p.ask(t, "/report?since=24h")
		defer first.Close()
		at := <-began
		second := p.ask(t, "/report")
		defer second.Close()
		if got := code(t, second); got != http.StatusServiceUnavailable {
			t.Errorf("a second report meanwhile: got %d, want 503", got)
		}
		if got := code(t, first); got != http.StatusGatewayTimeout {
			t.Errorf("a report without end: got %d, want 504", got)
		}
		if got := (<-ended).Sub(at); got != reportWithin {
			t.Errorf("it was given up after %v, want %v", got, reportWithin)
		}
		s.opt.Report = func(_ context.Context, w io.Writer, since, until string) error {
			_, err := io.WriteString(w, since+"|"+until)
			return err
		}
		third := p.ask(t, "/report?since=2h&until=now")
		defer third.Close()
		if got := code(t, third); got != http.StatusOK {
			t.Errorf("afterwards: got %d, want 200", got)
		}
	})
}

func TestAReportEndsWithItsClient(t *testing.T) {
	bubble(t, oneJournal(t.TempDir()), func(t *testing.T, s *Server, p *pipes) {
		report, began, ended := endless()
		s.opt.Report = report
		client := p.ask(t, "/report")
		at := <-began
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
		if got := (<-ended).Sub(at); got > time.Second {
			t.Errorf("it was given up %v after its client had gone away, want at once", got)
		}
		synctest.Wait()
		if got := s.reports.used(); got != 0 {
			t.Errorf("got %d reports in the making, want none", got)
		}
	})
}

func TestAViewerThatDoesNotReadIsCutAndOneThatReadsIsNot(t *testing.T) {
	dir := t.TempDir()
	j := writer(t, sink.Options{Dir: dir})
	log(t, j, 0, 20)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	bubble(t, oneJournal(dir), func(t *testing.T, s *Server, p *pipes) {
		reads, stuck := p.ask(t, "/events?from=-/0000000000000000/0"), p.ask(t, "/events?from=-/0000000000000000/0")
		defer reads.Close()
		defer stuck.Close()
		lines := make(chan string, 1000)
		go func() {
			defer close(lines)
			for from := bufio.NewScanner(reads); from.Scan(); {
				lines <- from.Text()
			}
		}()
		synctest.Wait()
		if got := s.streams.used(); got != 2 {
			t.Fatalf("got %d streams, want 2", got)
		}
		<-time.After(writeWithin - time.Second)
		if got := s.streams.used(); got != 2 {
			t.Errorf("got %d streams before the time of a write is over, want 2", got)
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if got := s.streams.used(); got != 1 {
			t.Errorf("got %d streams after it, want that of the client who reads", got)
		}
		for len(lines) > 0 {
			<-lines
		}
		<-time.After(6 * writeWithin)
		events := 0
		for len(lines) > 0 {
			if strings.HasPrefix(<-lines, "event: ") {
				events++
			}
		}
		if events < 5 {
			t.Errorf("got %d events in a minute, want the stream to go on", events)
		}
	})
}
