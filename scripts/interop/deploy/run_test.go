package deploy

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
)

// errRefused is what a sender hears of datagrams that nobody received.
var errRefused = syscall.ECONNREFUSED

// addr is where the container receives, straight over the bridge, without a proxy.
func (c container) addr(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort(c.inspect(t).NetworkSettings.IPAddress, "50003")
}

func TestContainerReceivesAndStopsWithinItsGraceWithNothingLost(t *testing.T) {
	t.Parallel()
	needEngine(t)
	const total = 20000
	c := runContainer(t, newVolume(t), "JOURNAL_MAX_SIZE=500KB")
	c.wantHealth(t, "healthy", "ready")
	send := newSender(t, c.addr(t), "")
	send.send(t, total)
	output(t, "docker", "stop", "--time", "30", c.name)
	if s := c.inspect(t).State; s.ExitCode != 0 || s.OOMKilled {
		t.Errorf("got exit code %d (out of memory: %v), want 0: a stop within the grace", s.ExitCode, s.OOMKilled)
	}
	wantLedger(t, c.logs(t), total)
	wantNumbers(t, c.volume, 0, total)
	reads(t, c.volume, "verify")
}

// wantLedger checks the last line of the log: all was received, and all was journaled.
func wantLedger(t *testing.T, log string, total int) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(log), "\n")
	var ledger struct{ Received, Journaled, Kernel, Missing int }
	decode(t, []byte(lines[len(lines)-1]), &ledger)
	if got, want := fmt.Sprint(ledger), fmt.Sprintf("{%d %d 0 0}", total, total); got != want {
		t.Errorf("got a ledger of %s, want %s", got, want)
	}
}

func TestContainerThatWasKilledStartsAgainAndGoesOn(t *testing.T) {
	t.Parallel()
	needEngine(t)
	c := runContainer(t, newVolume(t))
	c.wantHealth(t, "healthy", "ready")
	send := newSender(t, c.addr(t), "")
	send.send(t, 3000)
	wantNumbers(t, c.volume, 0, 3000)
	send.send(t, 1000) // of which the kill may lose the last ones, and tear the last line
	output(t, "docker", "kill", c.name)
	if code := c.inspect(t).State.ExitCode; code != 137 {
		t.Errorf("got exit code %d, want 137 for the kill", code)
	}
	output(t, "docker", "start", c.name)
	c.wantHealth(t, "healthy", "ready")
	send = &sender{conn: newSender(t, c.addr(t), "").conn, next: send.next}
	send.send(t, 3000)
	wantNumbers(t, c.volume, 0, 3000)
	wantNumbers(t, c.volume, 4000, 7000)
	reads(t, c.volume, "verify")
}

// A journal that nobody gave a volume gets one from the image, which its container may be removed from.
func TestContainerNeedsNothingButTheImage(t *testing.T) {
	t.Parallel()
	needEngine(t)
	c := container{name: name(t)}
	output(t, "docker", "run", "--detach", "--name", c.name, "--read-only", "--cap-drop", "ALL", "--health-interval", "1s", imageName)
	t.Cleanup(func() { cleanUp(t, "rm", "--force", "--volumes", c.name) })
	c.wantHealth(t, "healthy", "ready")
	newSender(t, c.addr(t), "").send(t, 10)
	eventually(t, func() error {
		return numbersAre(output(t, "docker", "exec", c.name, "hbjournal", "query", "--jq", ".message.n"), 0, 10)
	})
}

// The volume is a small tmpfs with a file in it that stands for what others keep on a disk.
func TestFullVolumeIsWaitedForAndNothingIsLost(t *testing.T) {
	t.Parallel()
	needEngine(t)
	const total = 8000 // more than a megabyte of lines
	volume := newVolume(t, "--driver", "local", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=2m,uid=65532,gid=65532,mode=0750")
	c := runContainer(t, volume)
	c.wantHealth(t, "healthy", "ready")
	ballast(t, c, 1500<<10)
	send := newSender(t, c.addr(t), "")
	send.send(t, total)
	c.wantHealth(t, "unhealthy", "no space left on device")
	if live := output(t, "docker", "exec", c.name, "hbjournal", "health", "--live"); live != "ok\n" {
		t.Errorf("got %q of a daemon with a full disk, want it alive", live)
	}
	send.send(t, 1000)
	ballast(t, c, 0)
	c.wantHealth(t, "healthy", "ready")
	wantNumbers(t, volume, 0, total+1000)
	reads(t, volume, "verify")
	output(t, "docker", "stop", "--time", "30", c.name)
	wantLedger(t, c.logs(t), total+1000)
	if s := c.inspect(t).State; s.ExitCode != 0 || s.OOMKilled {
		t.Errorf("got exit code %d (out of memory: %v), want 0", s.ExitCode, s.OOMKilled)
	}
}

// ballast gives a file on the volume another size.
func ballast(t *testing.T, c container, size int) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir+"/ballast", make([]byte, size))
	output(t, "docker", "cp", dir+"/ballast", c.name+":/var/log/heartbeat/ballast")
}

func TestContainerSaysWhatIsWrongWithItsSettings(t *testing.T) {
	t.Parallel()
	needEngine(t)
	_, err := try(t.Context(), "docker", "run", "--rm", "--name", name(t), "--env", "JOURNAL_MAX_SIZE=much", imageName)
	if err == nil || !strings.Contains(err.Error(), "exit status 2") || !strings.Contains(err.Error(), `journal_max_size=\"much\" (env JOURNAL_MAX_SIZE)`) {
		t.Errorf("got %v, want exit code 2 and the fault", err)
	}
}

// entry is a line of the journal, as far as tests look at it.
type entry struct {
	SourceIP string `json:"source_ip"`
	Message  struct{ N int }
}

func entries(t *testing.T, lines string) []entry {
	t.Helper()
	var all []entry
	for line := range strings.Lines(lines) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, e)
	}
	return all
}
