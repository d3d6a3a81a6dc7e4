package receivers

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A proxy stands between the sender and a receiver, and carries both ends of a connection each for itself, so that a
// half-close passes it as one. See is told of all bytes on their way, before they are handed on, and of an end, which is none;
// false: both connections are cut instead.
type proxy struct {
	t        testing.TB
	listener net.Listener
	target   string

	wg   sync.WaitGroup
	lock sync.Mutex
	see  func(toReceiver bool, n int) bool
	open map[net.Conn]bool
	over bool
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listener: listener, target: target, open: make(map[net.Conn]bool)}
	p.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.carry(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		p.lock.Lock()
		p.over = true
		for conn := range p.open {
			conn.Close()
		}
		p.lock.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// watch sets what sees the bytes; nil: nothing.
func (p *proxy) watch(see func(toReceiver bool, n int) bool) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.see = see
}

func (p *proxy) keep(conn net.Conn) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.open[conn] = true
	return !p.over
}

func (p *proxy) leave(conn net.Conn) {
	p.lock.Lock()
	defer p.lock.Unlock()
	delete(p.open, conn)
	conn.Close()
}

func (p *proxy) carry(sender net.Conn) {
	defer p.leave(sender)
	receiver, err := net.Dial("tcp", p.target)
	if err != nil {
		sender.(*net.TCPConn).SetLinger(0)
		return
	}
	defer p.leave(receiver)
	if !p.keep(sender) || !p.keep(receiver) {
		return
	}
	var both sync.WaitGroup
	handed := make(chan bool, 1) // whether all that the sender sent until its end is handed on
	both.Go(func() {
		whole := p.pipe(receiver, sender, true)
		if whole {
			_ = receiver.(*net.TCPConn).CloseWrite()
		}
		handed <- whole
	})
	both.Go(func() {
		// An end of the receiver's side is handed on only behind all that was to go there: whatever it could not have read
		// must not look as if it had.
		if p.pipe(sender, receiver, false) && <-handed {
			_ = sender.(*net.TCPConn).CloseWrite()
		}
	})
	both.Wait()
}

// pipe hands on what comes from from, and reports whether that ended well. If not, both are reset.
func (p *proxy) pipe(to, from net.Conn, toReceiver bool) bool {
	var buf [4096]byte
	for {
		n, err := from.Read(buf[:])
		if n > 0 || err == io.EOF {
			p.lock.Lock()
			ok := p.see == nil || p.see(toReceiver, n)
			p.lock.Unlock()
			if ok {
				_, failed := to.Write(buf[:n])
				ok = failed == nil
			}
			if !ok {
				reset(to, from)
				return false
			}
		}
		if err != nil {
			if err != io.EOF {
				reset(to, from)
			}
			return err == io.EOF
		}
	}
}

// reset ends connections so that what is on its way does not arrive.
func reset(conns ...net.Conn) {
	for _, conn := range conns {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}
