//go:build !unix

package cli

import "os"

// reopenSignals are none: the system has no such signals.
func reopenSignals() []os.Signal { return nil }

// rotateSignals are none: the system has no such signals.
func rotateSignals() []os.Signal { return nil }

// surviveClosedPipes does nothing: writing to a pipe that nobody reads is only an error here.
func surviveClosedPipes() (stop func()) { return func() {} }

const openDeviceFlags = 0
