package cli

import (
	"os"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/rs/zerolog"
)

// manager is what the process has of the service manager that started it, if one did: systemd, or its like.
type manager struct {
	sockets []*os.File // handed over; they outlive the process
	notify  *notifying // nil: it does not want to be told anything
}

// managerOf reads what the environment tells of a service manager, and takes that out of the environment of the process.
func managerOf(env Env, log zerolog.Logger) manager {
	return manager{sockets: activation.Files(true), notify: newNotifying(env.environ(), log)}
}
