package output

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/twmb/franz-go/pkg/kerr"

	"hbjournal/sink/forward"
)

// dialClass tells what kind of trouble an error of connecting to a stream is.
func dialClass(err error) forward.Class {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var alert tls.AlertError
	switch {
	case errors.Is(err, nats.ErrTLS), errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted),
		errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &host), errors.As(err, &alert):
		return forward.TLS
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrPermissionViolation),
		errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism),
		errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.TransactionalIDAuthorizationFailed),
		errors.Is(err, kerr.ClusterAuthorizationFailed):
		return forward.Auth
	}
	var answer *kerr.Error
	if errors.As(err, &answer) {
		return forward.Server
	}
	return forward.Network
}

// lastError keeps the last error that a client library tells of besides its answers, such as that a subject may not be used.
type lastError struct {
	lock sync.Mutex
	last error
}

func (e *lastError) put(err error) {
	e.lock.Lock()
	defer e.lock.Unlock()
	e.last = err
}

func (e *lastError) take() error {
	e.lock.Lock()
	defer e.lock.Unlock()
	err := e.last
	e.last = nil
	return err
}
