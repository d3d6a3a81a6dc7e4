package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// tcp is /proc/net/tcp with one socket that listens on 127.0.0.1:9504, and one that is connected to it.
const tcp = "  sl  local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode\n" +
	" 0: 0100007F:2520 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65532 0 4712 1 0000000000000000 100 0 0 10 0\n" +
	" 1: 0100007F:2521 0100007F:2520 01 00000000:00000000 00:00000000 00000000 65532 0 4713 1 0000000000000000 20 0 0 10 -1\n"

// paged is a machine whose page has this address, with these files beside the usual ones.
func paged(addr string, files map[string]string, set ...func(*Options)) machine {
	return machine{files: files, set: func(o *Options) {
		o.Web = Web{Addr: addr, Loopback: true}
		for _, more := range set {
			more(o)
		}
	}}
}

func TestTheAddressOfThePageIsFreeOrItsOwn(t *testing.T) {
	f := func(addr string, files map[string]string, status Status, texts ...string) {
		t.Helper()
		wantRow(t, paged(addr, files).examine(t).look(t, "web-address"), status, texts...)
	}
	held := func(cmdline string) map[string]string {
		return map[string]string{"proc/net/tcp": tcp, "proc/78/comm": "hbjournal\n", "proc/78/cmdline": cmdline, "proc/78/fd/3": "-> socket:[4712]"}
	}
	f("127.0.0.1:0", nil, OK, "127.0.0.1:0 is free")
	f("127.0.0.1:9504", held("hbjournal\x00web\x00/srv/hb\x00"), OK, "held by the live page, pid 78 (hbjournal)")
	f("127.0.0.1:9504", held("hbjournal\x00serve\x00"), Warn, "held by pid 78 (hbjournal): the live page would not start", "ss -tlpn 'sport = :9504'", "WEB_ADDR=127.0.0.1:9514")
	f("127.0.0.1:9504", map[string]string{"proc/net/tcp": tcp, "proc/77/fd/6": "-> socket:[4712]"}, Warn, "held by the daemon, pid 77", "its http_addr is the same")
	f("127.0.0.1:9504", file("proc/net/tcp", tcp), Note, "a process of uid 65532, perhaps the live page", "sudo hbjournal doctor")
	f("192.0.2.7:0", nil, Warn, "would not start", "WEB_ADDR=")
	f("", nil, Skip, "web_addr is not known")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	f(listener.Addr().String(), nil, Note, "something that this user cannot see")
}

func TestAnotherAddressOfThePageNeedsATokenThatIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web token")
	f := func(set func(*Web), status Status, texts ...string) {
		t.Helper()
		m := paged("0.0.0.0:9504", nil, func(o *Options) { set(&o.Web) })
		wantRow(t, m.examine(t).look(t, "web-token"), status, texts...)
	}
	open := func(w *Web) { w.Loopback = false }
	withToken := func(w *Web) { w.Loopback, w.TokenFile = false, path }
	f(func(*Web) {}, OK, "only this machine can reach")
	f(open, Note, "everybody who can reach 0.0.0.0:9504 may see all messages", "web_no_auth=true")
	f(func(w *Web) {
		w.Loopback, w.Token = false, func() error { return errors.New("web_addr can be reached\nby others") }
	},
		Warn, "would not start: web_addr can be reached", "another address than loopback needs a token", "WEB_TOKEN_FILE=")
	f(withToken, Warn, "no such file", "namei -l ")
	if err := os.WriteFile(path, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f(withToken, OK, "has mode 0600")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	f(withToken, Warn, "has mode 0644: every user", "chmod o= '")
}

// certificate makes a certificate that holds from one instant to another, and its key.
func certificate(t *testing.T, from, to time.Time) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "page"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "web.crt"), filepath.Join(dir, "web.key")
	err = errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestTheCertificateOfThePageFitsItsKeyAndLasts(t *testing.T) {
	now := machine{}.examine(t).Now()
	day := 24 * time.Hour
	f := func(cert, key string, status Status, texts ...string) {
		t.Helper()
		m := paged("0.0.0.0:9504", nil, func(o *Options) { o.Web.Loopback, o.Web.Cert, o.Web.Key = false, cert, key })
		wantRow(t, m.examine(t).look(t, "web-tls"), status, texts...)
	}
	cert, key := certificate(t, now.Add(-day), now.Add(90*day))
	_, other := certificate(t, now.Add(-day), now.Add(90*day))
	f("", "", Note, "plain HTTP", "WEB_TLS_CERT=")
	wantRow(t, paged("127.0.0.1:9504", nil).examine(t).look(t, "web-tls"), Skip, "on this machine only")
	f(cert, "", Warn, "one is missing", "config --check")
	f(cert, key+".gone", Warn, "no such file", "namei -l ")
	f(cert, other, Warn, "would not start", "does not match", "openssl x509")
	f(cert, key, OK, "good until 2026-06-26")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	f(cert, key, Warn, "web_tls_key", "has mode 0644", "chmod o= ")
	for _, c := range []struct {
		from, to time.Duration
		status   Status
		text     string
	}{
		{-90 * day, 3 * day, Note, "good until 2026-03-31"},
		{-90 * day, -day, Warn, "ended on 2026-03-27"},
		{day, 90 * day, Warn, "begins on 2026-03-29"},
	} {
		cert, key := certificate(t, now.Add(c.from), now.Add(c.to))
		f(cert, key, c.status, c.text, "openssl x509 -noout -dates")
	}
}

func TestTheDaemonLeavesSignsOfLife(t *testing.T) {
	const path = "journal/.messages.journal.d/life"
	now := machine{}.examine(t).Now()
	f := func(daemon func(*Daemon), text string, last time.Time, err error, status Status, texts ...string) {
		t.Helper()
		e := machine{daemon: daemon, files: file(path, text)}.examine(t)
		e.Journal.Life = func() Life { return Life{Path: filepath.Join(e.Root, path), Err: err, Last: last} }
		wantRow(t, e.look(t, "life"), status, texts...)
	}
	f(nil, "x", now.Add(-time.Second), nil, OK, "1s old")
	f(nil, "x", now.Add(-time.Minute), nil, Warn, "of 2026-03-28T11:59:00Z, which is not now", "doctor --only daemon,disk,clock")
	f(nil, "x", now.Add(time.Hour), nil, Warn, "which is not now")
	f(nil, "x", time.Time{}, nil, Warn, "no sign of life that is whole", "mv ")
	f(nil, "x", time.Time{}, os.ErrPermission, Warn, "permission denied", "sudo ls -l ")
	f(nil, "gone", time.Time{}, nil, Warn, "is missing", "taken for silent")
	f(nil, "-> elsewhere", time.Time{}, nil, Warn, "no regular file", "mv ")
	f(noDaemon, "gone", time.Time{}, nil, OK, "made at the start")
	f(noDaemon, "x", now.Add(-time.Hour), nil, OK, "listened until 2026-03-28T11:00:00Z")
	f(noDaemon, "x", time.Time{}, nil, OK, "no sign of life yet")
	wantRow(t, machine{}.examine(t).look(t, "life"), Skip)
}
