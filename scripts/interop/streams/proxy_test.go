package streams

import (
	"net"
	"sync"
	"testing"
)

// verdict is what becomes of bytes that pass a proxy.
type verdict int

const (
	pass    verdict = iota
	swallow         // they are not handed on, and nobody is told
	cut             // nor are they handed on, and the connection is cut
)

// A proxy stands between a sender and a server. See sees all bytes on their way and judges them; it is never called by two
// goroutines at once.
type proxy struct {
	addr   string
	port   int
	target string
	lock   sync.Mutex
	conns  int
	see    func(s seen) verdict
}

// seen is what passes a proxy.
type seen struct {
	conn     int // number of the connection
	toServer bool
	data     []byte
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), port: l.Addr().(*net.TCPAddr).Port, target: target}
	var wg sync.WaitGroup
	closing := make(chan struct{})
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.carry(conn, closing) })
		}
	})
	t.Cleanup(func() {
		close(closing)
		_ = l.Close()
		wg.Wait()
	})
	return p
}

// watch sets what sees the bytes from now on.
func (p *proxy) watch(see func(seen) verdict) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.see = see
}

func (p *proxy) judge(s seen) verdict {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.see == nil {
		return pass
	}
	return p.see(s)
}

func (p *proxy) carry(client net.Conn, closing <-chan struct{}) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.lock.Lock()
	p.conns++
	id := p.conns
	p.lock.Unlock()
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-closing:
			_ = client.Close()
		case <-over:
		}
	})
	one := func(from, to net.Conn, toServer bool) {
		defer from.Close()
		defer to.Close()
		buf := make([]byte, 16<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				switch p.judge(seen{conn: id, toServer: toServer, data: buf[:n]}) {
				case pass:
					if _, err := to.Write(buf[:n]); err != nil {
						return
					}
				case cut:
					return
				case swallow:
				}
			}
			if err != nil {
				return
			}
		}
	}
	wg.Go(func() { one(client, server, true) })
	one(server, client, false)
	close(over)
	wg.Wait()
}
