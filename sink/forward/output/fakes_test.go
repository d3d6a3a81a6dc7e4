package output

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hbjournal/sink/forward"
	"hbjournal/sink/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// march is the time of the first entry of a batch that messages makes; each next one is a millisecond later.
var march = time.Date(2026, 3, 28, 12, 0, 0, 7_000_000, time.UTC)

// messages makes a batch of entries with these messages.
func messages(t testing.TB, all ...string) *forward.Batch {
	t.Helper()
	lines := make([]string, len(all))
	for i, message := range all {
		at := march.Add(time.Duration(i) * time.Millisecond)
		line := journal.NewEncoder(nil).AppendLine(nil, at, netip.MustParseAddrPort("10.0.0.1:50003"), []byte(message))
		lines[i] = string(line[:len(line)-1])
	}
	return batchOf(lines...)
}

// beats are n messages of about size bytes, each another.
func beats(n, size int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"ID":"HTB","name":"web%d","seq":%d,"pad":"%0*d"}`, i%7, i, max(size-50, 1), i)
	}
	return all
}

// authority is a certificate authority of one test, with its files in dir.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), next: 1}
	a.cert, a.key = a.issue("ca", nil)
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue makes NAME.crt and NAME.key, for these names of hosts.
func (a *authority) issue(name string, hosts []string) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	wanted := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: name}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	a.next++
	parent, signer := a.cert, a.key
	if parent == nil {
		wanted.IsCA, wanted.BasicConstraintsValid, wanted.KeyUsage = true, true, x509.KeyUsageCertSign
		parent, signer = wanted, key
	} else if len(hosts) == 0 {
		wanted.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, wanted, parent, &key.PublicKey, signer)
	a.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	a.must(err)
	a.must(os.WriteFile(a.file(name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	a.must(os.WriteFile(a.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	made, err := x509.ParseCertificate(der)
	a.must(err)
	return made, key
}

// server is what a receiver with the certificate NAME secures its connections with. It asks for a client's if wanted.
func (a *authority) server(name string, client bool) *tls.Config {
	a.t.Helper()
	pair, err := tls.LoadX509KeyPair(a.file(name+".crt"), a.file(name+".key"))
	a.must(err)
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, ClientCAs: x509.NewCertPool()}
	config.ClientCAs.AddCert(a.cert)
	if client {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config
}

func (a *authority) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}
