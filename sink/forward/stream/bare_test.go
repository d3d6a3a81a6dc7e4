package stream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
)

func TestErrorsShowNoAddress(t *testing.T) {
	there := &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 4222}
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: there, Err: syscall.ECONNREFUSED}
	unknown := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "nats", Server: "10.0.0.1:53"}}
	for want, err := range map[string]error{
		"connect: no servers\ndial tcp: connection refused":   fmt.Errorf("connect: %w", errors.Join(errors.New("no servers"), refused)),
		"dial tcp: lookup nats: no such host":                 unknown,
		"a: dial tcp: lookup nats: no such host, b: EOF":      fmt.Errorf("a: %w, b: %w", unknown, io.EOF),
		"read tcp: connection refused: dial: as nothing else": fmt.Errorf("%w: dial: as nothing else", &net.OpError{Op: "read", Net: "tcp", Source: there, Addr: there, Err: syscall.ECONNREFUSED}),
		"as it was": errors.New("as it was"),
	} {
		if got := WithoutAddresses(err); got.Error() != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := WithoutAddresses(refused); !errors.Is(got, syscall.ECONNREFUSED) {
		t.Errorf("%v is no %v any more", got, syscall.ECONNREFUSED)
	}
	if got := WithoutAddresses(nil); got != nil {
		t.Errorf("got %v of nothing", got)
	}
}
