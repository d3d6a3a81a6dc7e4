package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// imageName is what the tests tag the image with, beside the names that it is loaded under.
const imageName = "hbj-test-image:now"

// loadImage loads the image of this machine's architecture once. Its error says why there is no engine.
var loadImage = sync.OnceValue(func() error {
	if _, err := try(context.Background(), "docker", "version"); err != nil {
		return err
	}
	dir, err := artifacts()
	if err != nil {
		return err
	}
	loaded, err := try(context.Background(), "docker", "load", "--input", filepath.Join(dir, "hbjournal-linux-"+runtime.GOARCH+".docker.tar"))
	if err != nil {
		return err
	}
	if !strings.Contains(loaded, "hbjournal:"+version) {
		return fmt.Errorf("docker load says %q, want the name hbjournal:%s in it", loaded, version)
	}
	_, err = try(context.Background(), "docker", "tag", "hbjournal:"+version, imageName)
	return err
})

func removeImage() {
	if _, err := exec.LookPath("docker"); err == nil {
		_, _ = try(context.Background(), "docker", "image", "rm", imageName, "hbjournal:"+version, "hbjournal:latest")
	}
}

// needEngine skips the test if no container engine answers, and else has the image loaded.
func needEngine(t *testing.T) {
	t.Helper()
	need(t, "docker")
	if _, err := try(t.Context(), "docker", "version"); err != nil {
		t.Skipf("no container engine answers: %v", err)
	}
	if err := loadImage(); err != nil {
		t.Fatal(err)
	}
}

// name is one for a container, a volume or a project, which nothing else has.
func name(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("hbj-test-%x", time.Now().UnixNano())
}

// container is one that runs the image as it is meant to be run.
type container struct {
	name, volume string
}

// newVolume makes a volume that is removed at the end.
func newVolume(t *testing.T, options ...string) string {
	t.Helper()
	volume := name(t)
	output(t, "docker", append([]string{"volume", "create", "--name", volume}, options...)...)
	t.Cleanup(func() { cleanUp(t, "volume", "rm", "--force", volume) })
	return volume
}

// cleanUp runs docker after the test's context has ended.
func cleanUp(t *testing.T, args ...string) {
	t.Helper()
	if _, err := try(context.WithoutCancel(t.Context()), "docker", args...); err != nil {
		t.Error(err)
	}
}

// runContainer starts the image with a read-only root, without capabilities, within 192 MiB, told by its environment
// alone.
func runContainer(t *testing.T, volume string, environ ...string) container {
	t.Helper()
	c := container{name: name(t), volume: volume}
	args := []string{
		"run", "--detach", "--name", c.name, "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
		"--memory", "192m", "--tmpfs", "/tmp", "--volume", volume + ":/var/log/heartbeat", "--health-interval", "1s", "--health-retries", "1",
	}
	for _, e := range environ {
		args = append(args, "--env", e)
	}
	output(t, "docker", append(args, imageName)...)
	t.Cleanup(func() {
		if t.Failed() {
			logs, err := c.log(context.WithoutCancel(t.Context()))
			t.Logf("log of the container (%v):\n%s", err, logs)
		}
		cleanUp(t, "rm", "--force", "--volumes", c.name)
	})
	return c
}

// state is what docker knows of a container.
type state struct {
	State struct {
		Status    string
		ExitCode  int
		OOMKilled bool
		Health    struct {
			Status string
			Log    []struct {
				ExitCode int
				Output   string
			}
		}
	}
	NetworkSettings struct{ IPAddress, Gateway string }
}

func (c container) inspect(t *testing.T) state {
	t.Helper()
	var all []state
	if err := json.Unmarshal([]byte(output(t, "docker", "inspect", c.name)), &all); err != nil || len(all) != 1 {
		t.Fatalf("docker inspect: got %d containers, %v, want one", len(all), err)
	}
	return all[0]
}

// wantHealth waits for a status of the container's own check, and for words in the last answer.
func (c container) wantHealth(t *testing.T, status, words string) {
	t.Helper()
	eventually(t, func() error {
		health := c.inspect(t).State.Health
		if n := len(health.Log); health.Status != status || n == 0 || !strings.Contains(health.Log[n-1].Output, words) {
			return fmt.Errorf("got health %+v, want %s with %q", health, status, words)
		}
		return nil
	})
}

// logs returns the daemon's own log.
func (c container) logs(t *testing.T) string {
	t.Helper()
	logs, err := c.log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return logs
}

// log asks for it: docker keeps a container's two outputs apart, and the daemon's log is standard error.
func (c container) log(ctx context.Context) (string, error) {
	return try(ctx, "sh", "-c", `exec docker logs "$0" 2>&1`, c.name)
}

// reads runs hbjournal in a container of its own, which sees nothing but the volume.
func reads(t *testing.T, volume string, args ...string) string {
	t.Helper()
	all := []string{
		"run", "--rm", "--name", name(t), "--network", "none", "--read-only", "--cap-drop", "ALL", "--tmpfs", "/tmp",
		"--volume", volume + ":/var/log/heartbeat:ro", imageName,
	}
	return strings.TrimSpace(output(t, "docker", append(all, args...)...))
}

// wantNumbers waits until the journal on the volume holds the numbers [from, to), each once.
func wantNumbers(t *testing.T, volume string, from, to int) {
	t.Helper()
	eventually(t, func() error {
		return numbersAre(reads(t, volume, "query", "--id", "HTB", "--jq", ".message.n"), from, to)
	})
}

func numbersAre(lines string, from, to int) error {
	seen := map[string]int{}
	for line := range strings.Lines(lines + "\n") {
		seen[strings.TrimSpace(line)]++
	}
	var missing, twice int
	for i := from; i < to; i++ {
		switch count := seen[fmt.Sprint(i)]; {
		case count == 0:
			missing++
		case count > 1:
			twice++
		}
	}
	if missing > 0 || twice > 0 {
		return fmt.Errorf("of the numbers %d to %d got %d missing and %d more than once, want each once", from, to, missing, twice)
	}
	return nil
}

// sender sends numbered heartbeats to one address.
type sender struct {
	conn net.Conn
	next int
}

// newSender dials addr from the local address from, or from any if that is "".
func newSender(t *testing.T, addr, from string) *sender {
	t.Helper()
	var dialer net.Dialer
	if from != "" {
		dialer.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
	}
	conn, err := dialer.DialContext(t.Context(), "udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &sender{conn: conn}
}

// send sends the next n numbers, about 10,000 a second.
func (s *sender) send(t *testing.T, n int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range n {
		if s.next%10 == 0 {
			<-tick.C
		}
		if err := s.sendOne(); err != nil {
			t.Fatal(err)
		}
	}
}

// sendOne sends the next number. That nobody was there for the last one is no error.
func (s *sender) sendOne() error {
	_, err := fmt.Fprintf(s.conn, `{"ID":"HTB","name":"webserver1","interval":30,"n":%d}`, s.next)
	if err != nil && !errors.Is(err, errRefused) {
		return err
	}
	s.next++
	return nil
}
