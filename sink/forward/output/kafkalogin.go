package output

import (
	"context"
	"crypto/tls"
	"regexp"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"hbjournal/sink/forward/stream"
)

var isTopic = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// brokers asks for the options of a login, and says how the brokers of a URL are reached, which has a topic as its path.
func (o *options) brokers(t *Target, c connection) stream.Brokers {
	mechanism := o.choice("sasl", "none", "none", "plain", "scram-sha-256", "scram-sha-512")
	if len(t.Hosts) == 0 || !isTopic.MatchString(strings.TrimPrefix(t.Path, "/")) {
		o.fault("want %s://host[:port][,host[:port]...]/topic", t.Scheme)
	}
	if (mechanism == "none") != (c.User == "") {
		o.fault("sasl goes together with user and password_file")
	}
	if c.TokenFile != "" {
		o.fault("token_file is not for Kafka; give sasl=, user= and password_file=")
	}
	b := stream.Brokers{Hosts: t.Hosts, Timeout: c.Timeout, Login: c.sasl(mechanism)}
	if t.Scheme == "kafka+tls" {
		b.TLS = func() (*tls.Config, error) { return c.tls("") }
	}
	return b
}

// sasl says who we are. The password is read at each login.
func (c connection) sasl(mechanism string) []kgo.Opt {
	scrammed := func(context.Context) (scram.Auth, error) {
		password, err := readSecret(c.PasswordFile)
		return scram.Auth{User: c.User, Pass: password}, err
	}
	switch mechanism {
	case "plain":
		return []kgo.Opt{kgo.SASL(plain.Plain(func(context.Context) (plain.Auth, error) {
			password, err := readSecret(c.PasswordFile)
			return plain.Auth{User: c.User, Pass: password}, err
		}))}
	case "scram-sha-256":
		return []kgo.Opt{kgo.SASL(scram.Sha256(scrammed))}
	case "scram-sha-512":
		return []kgo.Opt{kgo.SASL(scram.Sha512(scrammed))}
	}
	return nil
}
