package output

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"hbjournal/sink/forward"
)

// connection is how an output that goes over the network reaches its receiver. All files are read anew at each dial, so
// that certificates and secrets are renewed without a restart.
type connection struct {
	CA, Cert, Key string // PEM files; no CA: the system's
	ServerName    string // that the receiver's certificate must bear; "": the host of the URL
	User          string
	PasswordFile  string
	TokenFile     string
	Timeout       time.Duration // of a dial, and of an answer
	MaxAge        time.Duration // a connection is made anew after it, between two batches, so that a changed DNS is seen
}

// connection asks for the options of an output that goes over the network, may do so over TLS, and logs in.
func (o *options) connection(t *Target) connection {
	c := connection{
		User: o.text("user", ""), PasswordFile: o.text("password_file", ""), TokenFile: o.text("token_file", ""),
	}
	if (c.User == "") != (c.PasswordFile == "") {
		o.fault("user and password_file go together")
	}
	t.Secrets = append(t.Secrets, filled(c.PasswordFile, c.TokenFile)...)
	o.times(&c)
	o.certificates(t, &c)
	return c
}

// times asks for the options that every output over the network has.
func (o *options) times(c *connection) {
	c.Timeout, c.MaxAge = o.duration("timeout", 30*time.Second), o.duration("max_conn_age", 5*time.Minute)
	if c.Timeout == 0 { // What answers nothing would hold a batch for ever.
		o.wrong("timeout", "longer than 0, such as 30s")
	}
}

// certificates asks for the options of TLS.
func (o *options) certificates(t *Target, c *connection) {
	c.CA, c.Cert, c.Key, c.ServerName = o.text("ca", ""), o.text("cert", ""), o.text("key", ""), o.text("server_name", "")
	if (c.Cert == "") != (c.Key == "") {
		o.fault("cert and key go together")
	}
	t.Secrets = append(t.Secrets, filled(c.Key)...)
}

func filled(paths ...string) (all []string) {
	for _, path := range paths {
		if path != "" {
			all = append(all, path)
		}
	}
	return all
}

// tls returns what a connection to host is secured with.
func (c connection) tls(host string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if c.ServerName != "" {
		config.ServerName = c.ServerName
	}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, &forward.TroubleError{Class: forward.TLS, Err: fmt.Errorf("read ca: %w", err)}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, &forward.TroubleError{Class: forward.TLS, Err: fmt.Errorf("read ca %s: there is no certificate in it", c.CA)}
		}
	}
	if c.Cert != "" {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
			if err != nil {
				return nil, fmt.Errorf("read cert and key: %w", err)
			}
			return &pair, nil
		}
	}
	return config, nil
}

// maxSecret is the longest secret that is read, in bytes.
const maxSecret = 64 << 10

// readSecret reads a secret from its file, without the white space around it. What is wrong is trouble that may end:
// secrets are mounted and renewed by others.
func readSecret(path string) (string, error) {
	file, err := os.Open(path)
	if err == nil {
		var text []byte
		text, err = io.ReadAll(io.LimitReader(file, maxSecret+1))
		err = errors.Join(err, file.Close())
		secret := strings.TrimSpace(string(text))
		switch {
		case err != nil:
		case len(text) > maxSecret:
			err = fmt.Errorf("%s is longer than %d bytes", path, maxSecret)
		case secret == "":
			err = fmt.Errorf("%s is empty", path)
		case strings.ContainsAny(secret, "\r\n\x00"):
			err = fmt.Errorf("%s has more than one line", path)
		default:
			return secret, nil
		}
	}
	return "", &forward.TroubleError{Class: forward.Auth, Err: fmt.Errorf("read secret: %w", err)}
}
