package stream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync"

	"github.com/nats-io/nats.go"
)

// Kind is what kind of trouble an engine has.
type Kind string

// The kinds of trouble.
const (
	Network   Kind = "network"
	TLS       Kind = "tls"
	Auth      Kind = "auth"
	Throttled Kind = "throttled"
	Server    Kind = "server"
	Ambiguous Kind = "ambiguous" // asked, and no answer that can be understood
)

// TroubleError is an error after which one tries again.
type TroubleError struct {
	Kind Kind
	Err  error
}

func (e *TroubleError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *TroubleError) Unwrap() error { return e.Err }

func trouble(kind Kind, err error) error {
	return &TroubleError{Kind: kind, Err: WithoutAddresses(err)}
}

// dialKind tells what kind of trouble an error of connecting is.
func dialKind(err error) Kind {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var alert tls.AlertError
	switch {
	case errors.Is(err, nats.ErrTLS), errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted),
		errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &host), errors.As(err, &alert):
		return TLS
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrPermissionViolation):
		return Auth
	}
	return Network
}

// LastError keeps the last error that a client library tells of besides its answers, such as that a subject may not be used.
type LastError struct {
	lock sync.Mutex
	last error
}

// Put keeps err in place of the last one.
func (e *LastError) Put(err error) {
	e.lock.Lock()
	defer e.lock.Unlock()
	e.last = err
}

// Take returns the last error, and forgets it.
func (e *LastError) Take() error {
	e.lock.Lock()
	defer e.lock.Unlock()
	err := e.last
	e.last = nil
	return err
}
