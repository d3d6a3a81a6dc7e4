package output

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/stream"
)

// kafkaClass tells what kind of trouble an error of a broker is.
func kafkaClass(err error) forward.Class {
	var answer *kerr.Error
	switch {
	case isTLS(err):
		return forward.TLS
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism),
		errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.TransactionalIDAuthorizationFailed),
		errors.Is(err, kerr.ClusterAuthorizationFailed):
		return forward.Auth
	case errors.As(err, &answer):
		return forward.Server
	}
	return forward.Network
}

// streamFault makes of an error of package stream what the loop knows.
func streamFault(err error) error {
	var trouble *stream.TroubleError
	if errors.As(err, &trouble) {
		return &forward.TroubleError{Class: forward.Class(trouble.Kind), Err: err}
	}
	return err
}
