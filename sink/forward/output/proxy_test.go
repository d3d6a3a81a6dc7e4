package output

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

func TestTheLoginOfAProxyIsForTheProxyOnly(t *testing.T) {
	seen := make(chan http.Header, 1)
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }))
	defer receiver.Close()
	logins := make(chan http.Header, 1)
	var opening sync.Mutex
	var tunnels sync.WaitGroup
	defer func() {
		opening.Lock() // The server does not wait for a handler that took its connection over.
		defer opening.Unlock()
		tunnels.Wait()
	}()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		logins <- r.Header
		to, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		w.WriteHeader(http.StatusOK)
		from, read, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		opening.Lock()
		defer opening.Unlock()
		tunnels.Go(func() { _, _ = io.Copy(to, read); to.Close() }) // The server may have read some.
		tunnels.Go(func() { _, _ = io.Copy(from, to); from.Close() })
	}))
	defer proxy.Close()
	ca := write(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw})))
	headers := write(t, "Proxy-Authorization: Basic s3cret\nX-A: b\n")
	out := open(t, receiver.URL+"/?ca="+ca+"&proxy="+proxy.URL+"&header_file="+headers)
	defer out.Close()
	if r, err := out.Send(t.Context(), batchOf("{}")); err != nil || r.Acked != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	if got := <-logins; got.Get("Proxy-Authorization") != "Basic s3cret" || got.Get("X-A") != "" {
		t.Errorf("the proxy sees %v", got)
	}
	if got := <-seen; got.Get("Proxy-Authorization") != "" || got.Get("X-A") != "b" {
		t.Errorf("the receiver sees %v", got)
	}
}
