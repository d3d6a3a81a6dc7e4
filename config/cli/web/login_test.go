package web

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate makes one for 127.0.0.1, in files, and a pool of it alone.
func certificate(tb testing.TB) (cert, key string, pool *x509.CertPool) {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	about := x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	public, err := x509.CreateCertificate(rand.Reader, &about, &about, private.Public(), private)
	if err != nil {
		tb.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool = x509.NewCertPool()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public})
	pool.AppendCertsFromPEM(text)
	appendTo(tb, cert, text)
	appendTo(tb, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	return cert, key, pool
}

func TestAStreamOverTLSAsksForTheToken(t *testing.T) {
	const token = "a-token-of-24-characters"
	dir := t.TempDir()
	writeJournal(t, dir, []line{{time.Now(), "10.0.0.1", `{"ID":"EVT","name":"secret"}`}})
	opt, pool := oneJournal(dir), (*x509.CertPool)(nil)
	opt.Token = token
	opt.Cert, opt.Key, pool = certificate(t)
	s, _ := served(t, opt)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	ask := func(path string, login func(*http.Request)) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.Addr().String()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		login(r)
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = answer.Body.Close() })
		return answer
	}
	const stream = "/events?from=-/0000000000000000/0"
	for _, path := range []string{"/", stream, "/host?name=secret", "/report", "/stats", "/metrics", "/script.js"} {
		if got := ask(path, func(*http.Request) {}).StatusCode; got != http.StatusUnauthorized {
			t.Errorf("%s without a login: got %d, want 401", path, got)
		}
	}
	for name, login := range map[string]func(*http.Request){
		"any user": func(r *http.Request) { r.SetBasicAuth("whoever", token) },
		"bearer":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
	} {
		answer := ask(stream, login)
		if got := answer.StatusCode; got != http.StatusOK || answer.TLS == nil {
			t.Fatalf("%s: got %d, want the stream over TLS", name, got)
		}
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() && !strings.Contains(lines.Text(), `"n":"secret"`) {
			continue
		}
		if err := lines.Err(); err != nil || !strings.Contains(lines.Text(), "secret") {
			t.Errorf("%s: got no message in the stream: %v", name, err)
		}
	}
	if got := ask(stream, func(r *http.Request) { r.SetBasicAuth("whoever", "wrong") }).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("a wrong token: got %d, want 401", got)
	}
	late := ask(stream, func(r *http.Request) { r.SetBasicAuth("whoever", token) })
	if late.StatusCode != http.StatusTooManyRequests || late.Header.Get("Retry-After") == "" {
		t.Errorf("right after a wrong token: got %d, want 429 with a time to wait", late.StatusCode)
	}
}

func TestACertificateThatCannotBeReadIsSaid(t *testing.T) {
	opt := oneJournal(t.TempDir())
	opt.Addr, opt.Cert, opt.Key = "127.0.0.1:0", filepath.Join(t.TempDir(), "none.pem"), os.DevNull
	s, err := Listen(opt)
	if err == nil {
		_ = s.Close()
		t.Fatal("got a server without its certificate")
	}
	if !strings.Contains(err.Error(), "web_tls_cert") || !strings.Contains(err.Error(), "none.pem") {
		t.Errorf("got %q, want the setting and the file in it", err)
	}
}

func TestPagesAreCompleteWithoutAScript(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	writeJournal(t, dir, sampleHours(now))
	opt := oneJournal(dir)
	opt.Now = func() time.Time { return now }
	s, address := served(t, opt)
	settled(t, s)
	for path, wants := range map[string][]string{
		"/": {
			`http-equiv="refresh" content="10"`, "edge02", `class="is-silent"`, "<rect", "<summary>", `<noscript><a class="button" href="/?pause=1`,
			`action="/report"`, `href="/host?name=edge02"`,
		},
		"/host?name=web07": {`http-equiv="refresh" content="10"`, "cpu_percent", "<svg", "<summary>", `"name":"web07"`},
	} {
		_, _, page := get(t, address+path)
		for _, want := range wants {
			if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, `"`, "&#34;")) {
				t.Errorf("%s: got no %s in it", path, want)
			}
		}
	}
	if _, _, page := get(t, address+"/?pause=1&name=web*"); strings.Contains(page, "http-equiv=\"refresh\"") || !strings.Contains(page, "Go on") {
		t.Error("a page that is paused loads again, or cannot go on")
	}
}
