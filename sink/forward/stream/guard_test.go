package stream

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

const greeting = `INFO {"server_id":"x","version":"2.15.2","headers":true,"max_payload":1048576}` + "\r\n"

// fakeServer says what serve does on each connection, and counts the bytes that it got rid of.
func fakeServer(t *testing.T, serve func(c net.Conn)) (addr string, said *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	said = &atomic.Int64{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(countingConn{c, said})
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	return l.Addr().String(), said
}

type countingConn struct {
	net.Conn
	said *atomic.Int64
}

func (c countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.said.Add(int64(n))
	return n, err
}

// flood says letters without end.
func flood(c net.Conn) {
	block := bytes.Repeat([]byte("x"), 64<<10)
	for {
		if _, err := c.Write(block); err != nil {
			return
		}
	}
}

// shakeHands greets, and answers the first PING.
func shakeHands(c net.Conn) {
	io.WriteString(c, greeting)
	got := ""
	for buf := make([]byte, 4096); !strings.Contains(got, "PING"); {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		got += string(buf[:n])
	}
	io.WriteString(c, "PONG\r\n")
}

// TestAServerOfNATSThatSaysTooMuchIsLeft has one that never stops, or speaks of more than anybody has room for.
func TestAServerOfNATSThatSaysTooMuchIsLeft(t *testing.T) {
	for name, serve := range map[string]func(c net.Conn){
		"a greeting without an end":   func(c net.Conn) { io.WriteString(c, "INFO {"); flood(c) },
		"greetings without an end":    func(c net.Conn) { flood(c) },
		"an answer without an end":    func(c net.Conn) { io.WriteString(c, greeting); flood(c) },
		"a second greeting":           func(c net.Conn) { shakeHands(c); io.WriteString(c, "INFO {"); flood(c) },
		"an error without an end":     func(c net.Conn) { shakeHands(c); io.WriteString(c, "-ERR '"); flood(c) },
		"a subject without an end":    func(c net.Conn) { shakeHands(c); io.WriteString(c, "MSG a"); flood(c) },
		"a message of eight exabytes": func(c net.Conn) { shakeHands(c); io.WriteString(c, "MSG a 1 9223372036854775807\r\nx"); flood(c) },
		"a header of eight exabytes": func(c net.Conn) {
			shakeHands(c)
			io.WriteString(c, "hmsg a 1 12 9223372036854775807\r\nx")
			flood(c)
		},
		"a size that is none": func(c net.Conn) { shakeHands(c); io.WriteString(c, "MSG a 1 -5\r\nx"); flood(c) },
		"one that hides behind another": func(c net.Conn) {
			shakeHands(c)
			io.WriteString(c, "MSG a 1 0\r\n\nMSG a 1 99\r\nMSG a 1 9223372036854775807\r\nx")
			flood(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr, said := fakeServer(t, serve)
			c := Client{Servers: Servers{Hosts: []string{addr}, Timeout: 2 * time.Second}}
			defer c.Close()
			begun := time.Now()
			err := c.Dial(t.Context())
			if err == nil {
				var answer Ack
				err = c.Ask(t.Context(), &nats.Msg{Subject: "s"}, &answer)
			}
			var trouble *TroubleError
			if !errors.As(err, &trouble) {
				t.Errorf("got %v, want trouble", err)
			}
			if took := time.Since(begun); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
			c.Close()
			const most = 32 << 20 // With all that the kernels keep between the two.
			if n := said.Load(); n > most {
				t.Errorf("%d bytes were taken", n)
			}
		})
	}
}

// TestNothingIsSaidInPlainWhereTLSIsAskedFor has a server, or who is between, that offers none, in all ways to say so.
func TestNothingIsSaidInPlainWhereTLSIsAskedFor(t *testing.T) {
	for name, info := range map[string]string{
		"not a word of it": greeting,
		"none":             `INFO {"tls_available":false,"tls_required":false}` + "\r\n",
		"twice":            `INFO {"tls_available":true,"tls_available":false}` + "\r\n",
		"garbage":          "INFO tls\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			heard := make(chan string, 10)
			addr, _ := fakeServer(t, func(c net.Conn) {
				io.WriteString(c, info)
				_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
				text, _ := io.ReadAll(io.LimitReader(c, 64)) // What was said before it left.
				heard <- string(text)
			})
			servers := Servers{Hosts: []string{addr}, Timeout: 2 * time.Second}
			servers.TLS = func() (*tls.Config, error) { return &tls.Config{MinVersion: tls.VersionTLS12}, nil }
			c := Client{Servers: servers}
			defer c.Close()
			if err := c.Dial(t.Context()); err == nil {
				t.Error("it goes on without TLS")
			}
			if said := <-heard; strings.Contains(said, "CONNECT") {
				t.Errorf("it said %q", said)
			}
		})
	}
}

// TestTheGuardSeesMessagesAsTheLibraryDoes hands it all that is allowed, in pieces of each size.
func TestTheGuardSeesMessagesAsTheLibraryDoes(t *testing.T) {
	text := greeting + "PING\r\n+OK\r\nMSG a 1 5\r\nh\nllo\r\nMSG a 1 r 0\r\n\r\nHMSG a 1 12 13\r\nNATS/1.0\r\n\r\nx\r\n" +
		"INFO {" + strings.Repeat("x", 20<<10) + "}\r\nmsg\ta\t1\t" + fmt.Sprint(len(greeting)) + "\r\n" + greeting + "\r\nPONG\r\n"
	for size := 1; size < 100; size++ {
		var g guard
		for rest := []byte(text); len(rest) > 0; {
			n := min(size, len(rest))
			if err := g.see(rest[:n]); err != nil {
				t.Fatalf("in pieces of %d: %v", size, err)
			}
			rest = rest[n:]
		}
		if g.skip != 0 || g.tail || g.length != 0 {
			t.Errorf("in pieces of %d: it ends amid something: %+v", size, g)
		}
	}
}
