package fleet

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"hbjournal/sink/forward/stream"
)

// A fakeServer speaks as much of NATS as a reading needs: what answer gives for a subject is the answer to what is asked there.
type fakeServer struct {
	addr   string
	answer func(subject string, say func(header, body string))
}

// newFakeServer serves until the test ends.
func newFakeServer(t *testing.T, answer func(subject string, say func(header, body string))) fakeServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := fakeServer{l.Addr().String(), answer}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				s.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return s
}

// serve answers on one connection until it ends.
func (s fakeServer) serve(conn net.Conn) {
	io.WriteString(conn, `INFO {"server_id":"x","version":"2.15.2","headers":true,"max_payload":1048576}`+"\r\n")
	subscribed := map[string]string{} // subject, without the last part if that is a wildcard: number
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		fields := strings.Fields(line)
		switch fields[0] {
		case "PING":
			io.WriteString(conn, "PONG\r\n")
		case "SUB":
			subscribed[strings.TrimSuffix(fields[1], "*")] = fields[2]
		case "PUB": // subject, where to answer, bytes
			var size int64
			fmt.Sscan(fields[3], &size)
			if _, err := io.CopyN(io.Discard, in, size+2); err != nil {
				return
			}
			to := fields[2]
			number, ok := subscribed[to]
			if !ok {
				number = subscribed[to[:strings.LastIndexByte(to, '.')+1]]
			}
			s.answer(fields[1], func(header, body string) {
				fmt.Fprintf(conn, "HMSG %s %s %d %d\r\n%s%s\r\n", to, number, len(header), len(header)+len(body), header, body)
			})
		}
	}
}

// A server that was cut off from the others has a consumer that lives, and no messages for it.
func TestAConsumerThatLivesAndGivesNothingIsStuck(t *testing.T) {
	const plain, alive = "NATS/1.0\r\n\r\n", "NATS/1.0 100 Idle Heartbeat\r\n\r\n"
	s := newFakeServer(t, func(subject string, say func(header, body string)) {
		switch {
		case strings.HasPrefix(subject, "$JS.API.STREAM.INFO."):
			say(plain, `{"created":"2026-11-26T10:00:00Z","config":{"max_msg_size":1048576},"state":{"first_seq":1,"last_seq":4}}`)
		case strings.HasPrefix(subject, "$JS.API.CONSUMER.CREATE."):
			say(plain, `{"name":"c1","num_pending":4}`)
		case strings.HasPrefix(subject, "$JS.API.CONSUMER.MSG.NEXT."):
			for range 30 {
				say(alive, "")
			}
		}
	})
	n := NewNATS(stream.Servers{Hosts: []string{s.addr}, Timeout: 5 * time.Second}, "HBJ")
	clock := time.Now()
	n.now = func() time.Time { // A second passes between one look and the next.
		clock = clock.Add(time.Second)
		return clock
	}
	defer n.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := n.Start(ctx, Position{}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Next(ctx); err == nil || !strings.Contains(err.Error(), "is stuck at message 0 of 4") {
		t.Errorf("got %v, want word that the consumer is stuck", err)
	}
}
