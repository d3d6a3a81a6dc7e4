package stream

import (
	"errors"
	"net"
	"strings"
)

// WithoutAddresses takes from the text of an error the addresses that package net puts into its own, of engines, receivers and
// name servers: what may be shown of them stands in the URL. What kind of error it is can be seen as before.
func WithoutAddresses(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	bare := withoutAddresses(text, err)
	if bare == text {
		return err
	}
	return &bareError{bare, err}
}

// bareError is an error with another text.
type bareError struct {
	text  string
	cause error
}

func (e *bareError) Error() string { return e.text }

// Unwrap returns the error as it was.
func (e *bareError) Unwrap() error { return e.cause }

// withoutAddresses goes through err and all that it wraps, from the outermost on, whose text holds that of the others.
func withoutAddresses(text string, err error) string {
	var inside []error
	switch e := any(err).(type) { // This error alone, and not those that it wraps, which come next.
	case *net.OpError:
		text = strings.ReplaceAll(text, e.Error(), (&net.OpError{Op: e.Op, Net: e.Net, Err: e.Err}).Error())
		inside = []error{e.Err}
	case *net.DNSError:
		short := *e
		short.Server = ""
		return strings.ReplaceAll(text, e.Error(), short.Error())
	case interface{ Unwrap() []error }:
		inside = e.Unwrap()
	default:
		inside = []error{errors.Unwrap(err)}
	}
	for _, e := range inside {
		if e != nil {
			text = withoutAddresses(text, e)
		}
	}
	return text
}
