package fleet

import (
	"context"
	"net"
	"sync"
	"testing"
)

// A link carries the routes from one server to another. While it is cut, nothing passes and nobody is told: what is
// sent waits, as it does in a network that drops packets. Mended, it goes on.
type link struct {
	from, to int
	addr     string
	target   string
	lock     sync.Mutex
	open     chan struct{} // closed while bytes may pass
}

func newLink(t testing.TB, from, to int, target string) *link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &link{from: from, to: to, addr: l.Addr().String(), target: target, open: make(chan struct{})}
	close(k.open)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { k.carry(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		wg.Wait()
	})
	return k
}

func (k *link) cut() {
	k.lock.Lock()
	defer k.lock.Unlock()
	k.open = make(chan struct{})
}

func (k *link) mend() {
	k.lock.Lock()
	defer k.lock.Unlock()
	close(k.open)
}

// passes waits until bytes may pass, and reports false if ctx ends first.
func (k *link) passes(ctx context.Context) bool {
	k.lock.Lock()
	open := k.open
	k.lock.Unlock()
	select {
	case <-open:
		return true
	case <-ctx.Done():
		return false
	}
}

func (k *link) carry(ctx context.Context, client net.Conn) {
	defer client.Close()
	if !k.passes(ctx) {
		return
	}
	server, err := net.Dial("tcp", k.target)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() {
		_ = client.Close()
		_ = server.Close()
	})()
	var wg sync.WaitGroup
	wg.Go(func() { k.copy(ctx, server, client) })
	k.copy(ctx, client, server)
	wg.Wait()
}

func (k *link) copy(ctx context.Context, to, from net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if !k.passes(ctx) {
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
