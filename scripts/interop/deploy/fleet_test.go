package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"hbjournal/scripts/freeport"
)

// natsImage is what the tests tag the image of nats-server with.
const natsImage = "hbj-test-nats:now"

// loadNATS builds and loads the image of nats-server once.
var loadNATS = sync.OnceValue(func() error {
	out, err := filepath.Abs(filepath.Join(work, "nats"))
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "run", "./scripts/image", "--nats-server", "--arch", runtime.GOARCH, "--version", version, "--out", out)
	cmd.Dir = repoRoot // The server's module is that of the tests, which a copy of the source leaves out.
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+epoch)
	if _, err := bounded(context.Background(), buildLimit, cmd); err != nil {
		return err
	}
	if _, err := try(context.Background(), "docker", "load", "--input", filepath.Join(out, "nats-server-linux-"+runtime.GOARCH+".docker.tar")); err != nil {
		return err
	}
	_, err = try(context.Background(), "docker", "tag", "nats-server:"+version, natsImage)
	return err
})

func removeNATS() {
	if _, err := exec.LookPath("docker"); err == nil {
		_, _ = try(context.Background(), "docker", "image", "rm", natsImage, "nats-server:"+version, "nats-server:latest")
	}
}

// fleetProject is the compose file of a fleet, brought up.
type fleetProject struct {
	project
	senders map[string]*sender // by receiver
}

func upFleet(t *testing.T) fleetProject {
	t.Helper()
	needEngine(t)
	if err := loadNATS(); err != nil {
		t.Fatal(err)
	}
	one, two := freeport.Must(t).String(), freeport.Must(t).String()
	f := fleetProject{project: up(t, "fleet/fleet.yaml", "NATS_IMAGE="+natsImage, "PUBLISH_ONE=127.0.0.1:"+one, "PUBLISH_TWO=127.0.0.1:"+two)}
	f.senders = map[string]*sender{"one": newSender(t, "127.0.0.1:"+one, ""), "two": newSender(t, "127.0.0.1:"+two, "")}
	eventually(t, func() error { // It is started again until the cluster has a leader.
		got, err := try(t.Context(), "docker", "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", f.of("init"))
		if got = strings.TrimSpace(got); err == nil && got != "exited 0" {
			err = fmt.Errorf("init: got %s, want the stream made", got)
		}
		return err
	})
	for _, name := range []string{"one", "two", "archive-a", "archive-b"} {
		eventually(t, func() error {
			_, err := try(t.Context(), "docker", "exec", f.of(name), "/hbjournal", "health")
			return err
		})
	}
	return f
}

// of is the container of a service.
func (f fleetProject) of(service string) string { return f.name + "_" + service + "_1" }

// send sends n datagrams to each receiver.
func (f fleetProject) send(t *testing.T, n int) {
	t.Helper()
	for _, s := range f.senders {
		s.send(t, n)
	}
}

// wantAll waits until both archives have the lines of both receivers, byte for byte. What the published port's proxy loses on
// the way to a receiver is none of its lines.
func (f fleetProject) wantAll(t *testing.T) {
	t.Helper()
	for name, s := range f.senders {
		for _, archive := range []string{"archive-a", "archive-b"} {
			within(t, 3*time.Minute, func() error { // A server that was cut off and one that was killed take their time to come back.
				lines, err := f.lines(t, name, "") // It may still be writing.
				if err != nil {
					return err
				}
				if n := strings.Count(lines, "\n"); n < s.next/2 {
					return fmt.Errorf("receiver %s: got %d lines of %d datagrams, want most of them", name, n, s.next)
				}
				got, err := f.lines(t, archive, "/var/log/heartbeat/"+name) // Which it has made only when the first line came.
				if err == nil && got != lines {
					err = fmt.Errorf("%s of receiver %s: got %d lines, want the receiver's %d", archive, name, strings.Count(got, "\n"), strings.Count(lines, "\n"))
				}
				return err
			})
		}
	}
}

// lines are all lines of a journal in the container of a service; dir is "" for its own.
func (f fleetProject) lines(t *testing.T, service, dir string) (string, error) {
	t.Helper()
	args := []string{"exec", f.of(service), "/hbjournal", "query", "--id", "HTB"}
	if dir != "" {
		args = append(args, dir)
	}
	return try(t.Context(), "docker", args...)
}

// TestComposeFleetLosesNothingWhenServersAreCutOffAndKilled brings the fleet up, cuts one server of the cluster off, kills
// another one when that is back, and compares what the archives have in the end.
func TestComposeFleetLosesNothingWhenServersAreCutOffAndKilled(t *testing.T) {
	f := upFleet(t)
	f.send(t, 2000)

	network := f.name + "_default"
	output(t, "docker", "network", "disconnect", network, f.of("nats1"))
	f.send(t, 2000)
	output(t, "docker", "network", "connect", "--alias", "nats1", network, f.of("nats1"))
	f.send(t, 1000)

	output(t, "docker", "kill", "--signal", "KILL", f.of("nats2"))
	f.send(t, 2000)
	output(t, "docker", "start", f.of("nats2"))
	f.send(t, 1000)
	f.wantAll(t)

	dir := t.TempDir()
	for _, archive := range []string{"a", "b"} {
		f.compose(t, "stop", "archive-"+archive)
		output(t, "docker", "cp", f.of("archive-"+archive)+":/var/log/heartbeat", filepath.Join(dir, archive))
	}
	compared := output(t, "env", "HBJOURNAL="+programHere(t), filepath.Join(repoRoot, "scripts/compare-archives"), filepath.Join(dir, "a"), filepath.Join(dir, "b"))
	if want := "one: alike\ntwo: alike\n"; compared != want {
		t.Errorf("got %q, want %q", compared, want)
	}
	f.wantOwnSubjectsOnly(t)
}

// wantOwnSubjectsOnly sees that a receiver may write on no subject but its own, and that nothing of what the fleet needs
// was refused until now.
func (f fleetProject) wantOwnSubjectsOnly(t *testing.T) {
	t.Helper()
	violations := func() int {
		return strings.Count(f.compose(t, "logs", "--no-color", "nats1", "nats2", "nats3"), "Publish Violation")
	}
	if n := violations(); n > 0 {
		t.Errorf("got %d violations of permissions by the fleet itself, want none:\n%s", n, f.compose(t, "logs", "--no-color", "nats1", "nats2", "nats3"))
	}
	// The receiver "one" ships under a name that is not its own, which it would try for ever. Under the name of the other one it
	// would give up by itself: the subject holds another journal.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := try(ctx, "docker", "exec", "--env", "RECEIVER_NAME=three", f.of("one"), "/hbjournal", "forward", "--once",
		"nats://nats1,nats2,nats3?user=one&password_file=/run/secrets/one&timeout=2s&name=foreign"); err == nil {
		t.Error("got no error for a receiver that ships under another name, want one")
	}
	eventually(t, func() error {
		if violations() == 0 {
			return errors.New("got no violation for a receiver that publishes on another subject, want it refused")
		}
		return nil
	})
}
