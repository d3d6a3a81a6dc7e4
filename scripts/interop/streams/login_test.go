package streams

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/twmb/franz-go/pkg/kfake"

	"hbjournal/sink/forward"
	"hbjournal/sink/rotate"

	"hbjournal/scripts/freeport"
)

// selfSigned makes a certificate for 127.0.0.1, and the file that it may be trusted by.
func selfSigned(t testing.TB) (cert tls.Certificate, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "streams"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca = secret(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca
}

// secret writes a file that only we can read.
func secret(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// login tries to ship with right and with wrong secrets. A server that hangs up on wrong ones without a word is taken for
// network trouble.
func login(t *testing.T, right, wrong string, class forward.Class) {
	t.Helper()
	dir := t.TempDir()
	lines := writeJournal(t, dir, 50, rotate.Options{})
	s := &sender{Dir: dir, Journal: journalID, Receiver: "login", Lines: int64(len(lines)), Batch: 4 << 10, URL: wrong}
	out, _, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	_, _, err = out.Position(t.Context(), journalID)
	var trouble *forward.TroubleError
	if !errors.As(err, &trouble) || trouble.Class != class {
		t.Errorf("the wrong one: got %v of class %q, want trouble of class %q", err, classOf(err), class)
	}
	s.URL = right
	if err := s.run(t.Context()); err != nil {
		t.Errorf("the right one: %v", err)
	}
	checked, _, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer checked.Close()
	if err := checked.(forward.Checker).Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

func classOf(err error) forward.Class {
	var trouble *forward.TroubleError
	if errors.As(err, &trouble) {
		return trouble.Class
	}
	return ""
}

// natsWith runs a nats-server in this process.
func natsWith(t testing.TB, change func(*server.Options)) (addr string) {
	t.Helper()
	opt := &server.Options{
		Host: "127.0.0.1", Port: int(freeport.Must(t)), JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	}
	change(opt)
	s, err := server.NewServer(opt)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("nats-server is not ready")
	}
	return net.JoinHostPort(opt.Host, strconv.Itoa(opt.Port))
}

func TestLoginToNATS(t *testing.T) {
	const options = "?create=true&timeout=5s"
	t.Run("password", func(t *testing.T) {
		addr := natsWith(t, func(o *server.Options) { o.Username, o.Password = "journal", "right" })
		url := "nats://" + addr + options + "&user=journal&password_file="
		login(t, url+secret(t, "right\n"), url+secret(t, "wrong"), forward.Auth)
	})
	t.Run("token", func(t *testing.T) {
		addr := natsWith(t, func(o *server.Options) { o.Authorization = "right" })
		url := "nats://" + addr + options + "&token_file="
		login(t, url+secret(t, "right"), url+secret(t, "wrong"), forward.Auth)
	})
	t.Run("nkey", func(t *testing.T) {
		var seeds, publics []string
		for range 2 {
			pair, err := nkeys.CreateUser()
			if err != nil {
				t.Fatal(err)
			}
			seed, errSeed := pair.Seed()
			public, errPublic := pair.PublicKey()
			if err := errors.Join(errSeed, errPublic); err != nil {
				t.Fatal(err)
			}
			seeds, publics = append(seeds, string(seed)), append(publics, public)
		}
		addr := natsWith(t, func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: publics[0]}} })
		url := "nats://" + addr + options + "&nkey_file="
		login(t, url+secret(t, seeds[0]), url+secret(t, seeds[1]), forward.Auth)
	})
	t.Run("TLS", func(t *testing.T) {
		cert, ca := selfSigned(t)
		addr := natsWith(t, func(o *server.Options) {
			o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
			o.TLSTimeout = 5
		})
		_, other := selfSigned(t)
		url := "nats+tls://" + addr + options + "&ca="
		login(t, url+ca, url+other, forward.TLS)
	})
}

// kafkaWith runs a broker in this process.
func kafkaWith(t testing.TB, opts ...kfake.Opt) (*kfake.Cluster, string) {
	t.Helper()
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.SeedTopics(1, topic))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster, cluster.ListenAddrs()[0]
}

func TestLoginToKafka(t *testing.T) {
	for sasl, method := range map[string]string{
		"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512",
	} {
		t.Run(sasl, func(t *testing.T) {
			_, addr := kafkaWith(t, kfake.EnableSASL(), kfake.Superuser(method, "journal", "right"))
			url := "kafka://" + addr + "/" + topic + "?timeout=5s&user=journal&sasl=" + sasl + "&password_file="
			login(t, url+secret(t, "right\n"), url+secret(t, "wrong"), forward.Network) // Real brokers say it first: Auth.
		})
	}
	t.Run("TLS", func(t *testing.T) {
		cert, ca := selfSigned(t)
		_, addr := kafkaWith(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}))
		_, other := selfSigned(t)
		url := "kafka+tls://" + addr + "/" + topic + "?timeout=5s&ca="
		login(t, url+ca, url+other, forward.TLS)
	})
}
