package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hbjournal/scripts/freeport"
)

// project is a compose file that has been brought up under a name of its own.
type project struct {
	name, file string
	environ    []string
}

// composeCommand is how compose is called here: as a program, or as docker's own command.
func composeCommand(t *testing.T) []string {
	t.Helper()
	if _, err := exec.LookPath("docker-compose"); err == nil {
		return []string{"docker-compose"}
	}
	if _, err := try(t.Context(), "docker", "compose", "version"); err != nil {
		t.Skip("neither docker-compose nor 'docker compose' is installed")
	}
	return []string{"docker", "compose"}
}

// up brings the file up and takes it down at the end, with its volumes and networks.
func up(t *testing.T, file string, environ ...string) project {
	t.Helper()
	needEngine(t)
	composeCommand(t)
	p := project{name: name(t), file: filepath.Join(repoRoot, "scripts/deploy/compose", file)}
	p.environ = append(os.Environ(), "HBJOURNAL_IMAGE="+imageName)
	p.environ = append(p.environ, environ...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the containers:\n%s", p.compose(t, "logs", "--no-color"))
		}
		p.compose(t, "down", "--volumes", "--timeout", "30")
	})
	p.compose(t, "up", "--detach")
	return p
}

// compose runs one of compose's commands and returns what it prints. It works after the test's context has ended.
func (p project) compose(t *testing.T, args ...string) string {
	t.Helper()
	command := append(composeCommand(t), "--file", p.file, "--project-name", p.name)
	command = append(command, args...)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = p.environ
	out, err := bounded(context.WithoutCancel(t.Context()), commandLimit, cmd)
	if err != nil {
		t.Error(err)
	}
	return out
}

// container is that of the daemon.
func (p project) container(t *testing.T) container {
	t.Helper()
	return p.containerOf(t, "hbjournal")
}

func (p project) containerOf(t *testing.T, service string) container {
	t.Helper()
	return container{name: strings.TrimSpace(p.compose(t, "ps", "--quiet", service)), volume: p.name + "_journal"}
}

// wantReady waits until the daemon of the project is ready, by the probe of the file.
func (p project) wantReady(t *testing.T) container {
	t.Helper()
	c := p.container(t)
	eventually(t, func() error {
		_, err := try(t.Context(), "docker", "exec", c.name, "/hbjournal", "health")
		return err
	})
	return c
}

func TestComposeWithTheHostsNetworkKeepsTheSendersAddresses(t *testing.T) {
	t.Parallel()
	needEngine(t)
	addr := freeport.Must(t).Addr()
	p := up(t, "host-network.yaml", "LISTEN_ADDR="+addr, "HTTP_ADDR=127.0.0.1:"+freeport.Must(t).String())
	c := p.wantReady(t)
	senders := []string{"127.0.0.1", "127.0.0.2", "127.1.2.3"}
	for _, from := range senders {
		newSender(t, addr, from).send(t, 1)
	}
	eventually(t, func() error {
		var got []string
		for _, e := range entries(t, reads(t, c.volume, "query")) {
			got = append(got, e.SourceIP)
		}
		if fmt.Sprint(got) != fmt.Sprint(senders) {
			return fmt.Errorf("got sources %v, want %v", got, senders)
		}
		return nil
	})
	wantMeantToRun(t, c)
}

// What the port's proxy passes on comes from the gateway of the container's network, which takes a minute to be sure of.
// The minute begins before all other tests, which fill it.
func TestComposeWithAPublishedPortHidesTheSendersAndSaysSo(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes more than a minute until the daemon is sure")
	}
	needEngine(t)
	port := freeport.Must(t).String()
	p := up(t, "published-port.yaml", "PUBLISH=127.0.0.1:"+port, "PUBLISH_HTTP=127.0.0.1:"+freeport.Must(t).String())
	c := p.wantReady(t)
	gateway := strings.TrimSpace(output(t, "docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}", c.name))
	wantMeantToRun(t, c)
	sendAllTheTime(t, newSender(t, "127.0.0.1:"+port, ""))
	t.Parallel()
	within(t, 3*time.Minute, func() error {
		if !strings.Contains(c.logs(t), "seems to hide their senders") {
			return errors.New("got no warning in the log, though all datagrams came from the gateway")
		}
		return nil
	})
	for _, e := range entries(t, reads(t, c.volume, "query")) {
		if e.SourceIP != gateway {
			t.Errorf("got source %s, want the gateway's %s", e.SourceIP, gateway)
		}
	}
	if warning := fmt.Sprintf(`"source":%q`, gateway); !strings.Contains(c.logs(t), warning) {
		t.Errorf("got a log without %s", warning)
	}
}

// The live page is a part of both files that is started by its profile only.
func TestComposeServesTheLivePageIfItIsAskedTo(t *testing.T) {
	for file, c := range map[string]struct{ daemon, page string }{
		"host-network.yaml":   {"LISTEN_ADDR", "WEB_ADDR"},
		"published-port.yaml": {"PUBLISH", "PUBLISH_WEB"},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			needEngine(t)
			receiver, page, status := freeport.Must(t).Addr(), freeport.Must(t).Addr(), freeport.Must(t).Addr()
			p := up(t, file, "COMPOSE_PROFILES=web", c.daemon+"="+receiver, c.page+"="+page, "PUBLISH_HTTP="+status, "HTTP_ADDR="+status)
			p.wantReady(t)
			sendAllTheTime(t, newSender(t, receiver, ""))
			eventually(t, func() error {
				return pageHolds(t, "http://"+page+"/", "<h2>Daemon</h2>", "&#34;ID&#34;:", ">Messages<")
			})
			eventually(t, func() error { return pageHolds(t, "http://"+page+"/stats", `"complete": true`, `"ledger"`) })
			web := p.containerOf(t, "web")
			got := strings.TrimSpace(output(t, "docker", "inspect", "--format",
				"{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.Config.User}} {{(index .Mounts 0).RW}}", web.name))
			if want := "true [ALL] [no-new-privileges:true] 65532:65532 false"; got != want {
				t.Errorf("got a page with the rights %s, want %s", got, want)
			}
		})
	}
}

// pageHolds asks for a page, which must hold the texts.
func pageHolds(t *testing.T, address string, texts ...string) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	for _, text := range texts {
		if !strings.Contains(string(page), text) {
			return fmt.Errorf("%s: got %s without %s", address, answer.Status, text)
		}
	}
	return nil
}

// sendAllTheTime sends a datagram every two seconds until the test ends.
func sendAllTheTime(t *testing.T, s *sender) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-stopped })
	go func() {
		defer close(stopped)
		for tick := time.Tick(2 * time.Second); ; {
			select {
			case <-stop:
				return
			case <-tick:
				if err := s.sendOne(); err != nil {
					t.Error(err)
				}
			}
		}
	}()
}

// wantMeantToRun checks that the container has no more rights than it needs, and time enough to stop.
func wantMeantToRun(t *testing.T, c container) {
	t.Helper()
	got := strings.TrimSpace(output(t, "docker", "inspect", "--format",
		"{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Memory}} {{.Config.StopTimeout}} {{.Config.User}} {{.Config.Healthcheck.Test}}", c.name))
	want := "true [ALL] [no-new-privileges:true] 268435456 30 65532:65532 [CMD /hbjournal health]"
	if got != want && strings.Replace(got, "<nil>", "30", 1) != want {
		t.Errorf("got a container with\n%s\nwant\n%s", got, want)
	}
}
