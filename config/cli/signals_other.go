//go:build !unix

package cli

import "os"

// reopenSignals are none: the system has no such signals.
func reopenSignals() []os.Signal { return nil }

// rotateSignals are none: the system has no such signals.
func rotateSignals() []os.Signal { return nil }
