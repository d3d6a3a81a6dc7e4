package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// notifying is the part that tells the service manager how the daemon does, as sd_notify(3) has it: that it is ready, a
// status on each change, that it stops, and while it moves a sign of life at half the time that the watchdog allows.
//
// A manager that does not read is no fault of ours: a notification waits for a second at the most, and what cannot be
// said is said once in the log.
type notifying struct {
	to       *net.UnixConn
	watchdog time.Duration // how often a sign of life is due; 0: never
	status   func() string // one line, for people
	moves    func() bool   // false: what writes the journal hangs
	log      zerolog.Logger

	told   string // the last status
	failed bool   // the log knows that notifications fail
}

// notifyVariables are those that are for this process alone, and not for what it may start.
var notifyVariables = []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}

// newNotifying returns nil if no service manager asks for notifications. It takes the variables out of the environment.
func newNotifying(environ map[string]string, log zerolog.Logger) *notifying {
	for _, name := range notifyVariables {
		_ = os.Unsetenv(name)
	}
	path := environ["NOTIFY_SOCKET"]
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		log.Warn().Err(err).Str("NOTIFY_SOCKET", path).Msg("the service manager cannot be told anything; going on without it")
		return nil
	}
	return &notifying{to: conn, watchdog: watchdogPause(environ, log), log: log}
}

// watchdogPause is half the time after which the manager takes the daemon for dead; 0: it does not watch.
func watchdogPause(environ map[string]string, log zerolog.Logger) time.Duration {
	text, pid := environ["WATCHDOG_USEC"], environ["WATCHDOG_PID"]
	if text == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	micros, err := strconv.ParseInt(text, 10, 64)
	if err != nil || micros <= 0 || micros > int64(24*time.Hour/time.Microsecond) {
		log.Warn().Str("WATCHDOG_USEC", text).Msg("the watchdog's time is no number of microseconds within a day; going on without a watchdog")
		return 0
	}
	return max(time.Duration(micros)*time.Microsecond/2, time.Millisecond)
}

// Serve implements part. Everything is open by now, so the first thing it says is that the daemon is ready.
func (n *notifying) Serve(ctx context.Context) error {
	defer n.to.Close()
	n.tell("READY=1\n" + n.newStatus())
	second := time.NewTicker(time.Second)
	defer second.Stop()
	var alive <-chan time.Time
	if n.watchdog > 0 {
		ticker := time.NewTicker(n.watchdog)
		defer ticker.Stop()
		alive = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			n.tell("STOPPING=1\nSTATUS=writing out what was received\n")
			return nil
		case <-alive:
			if n.moves() {
				n.tell("WATCHDOG=1\n")
			}
		case <-second.C:
			n.tell(n.newStatus())
		}
	}
}

// newStatus is the assignment that tells the status, and nothing if it is the one that was told last.
func (n *notifying) newStatus() string {
	status := strings.ReplaceAll(n.status(), "\n", "; ")
	if status == n.told {
		return ""
	}
	n.told = status
	return "STATUS=" + status + "\n"
}

// tell sends assignments, each with its newline.
func (n *notifying) tell(assignments string) {
	if assignments == "" {
		return
	}
	err := n.to.SetWriteDeadline(time.Now().Add(time.Second))
	if err == nil {
		_, err = n.to.Write([]byte(assignments))
	}
	switch {
	case err != nil && !n.failed:
		n.log.Warn().Err(err).Msg("the service manager does not take notifications; trying again with the next")
	case err == nil && n.failed:
		n.log.Info().Msg("the service manager takes notifications again")
	}
	if n.failed = err != nil; n.failed {
		n.told = "" // It is to be told again.
	}
}

// notifies has the daemon tell the service manager how it does.
func (d *daemon) notifies(n *notifying) *notifying {
	n.status = func() string {
		if why := d.snapshot().Troubles(); why != "" {
			return why
		}
		return fmt.Sprintf("receiving on %s", joinAddrs(d.listener.Addrs()))
	}
	n.moves = func() bool { return d.journal == nil || !d.journal.Hangs() }
	return n
}

func joinAddrs[A fmt.Stringer](addrs []A) string {
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}
