package fleet

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"hbjournal/scripts/freeport"
)

// The names of stream and bucket.
const (
	streamName = "HBJ"
	bucketName = "KV_HBJ"
)

// A cluster is some nats-servers, each reached by the others through links only.
type cluster struct {
	servers []*server
	links   []*link
}

// A server is one nats-server.
type server struct {
	*process
	client, routes, monitor string // addresses
	store                   string // directory
}

// newCluster starts n servers and waits until they have a leader.
func newCluster(t testing.TB, dir string, n int) *cluster {
	t.Helper()
	c := &cluster{}
	for i := range n {
		s := &server{client: freeport.Must(t).Addr(), routes: freeport.Must(t).Addr(), monitor: freeport.Must(t).Addr(), store: filepath.Join(dir, fmt.Sprintf("store%d", i))}
		config := filepath.Join(dir, fmt.Sprintf("nats%d.conf", i))
		s.process = newProcess(t, dir, fmt.Sprintf("nats%d", i), program("nats-server"), "--config", config)
		c.servers = append(c.servers, s)
	}
	for i, s := range c.servers {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("nats%d.conf", i)), []byte(c.config(t, i)), 0o644); err != nil {
			t.Fatal(err)
		}
		s.start(t)
	}
	c.wantReady(t)
	return c
}

// config is the configuration of a server. What it tells others of its own address leads nowhere, so that they come
// through the links.
func (c *cluster) config(t testing.TB, of int) string {
	s := c.servers[of]
	text := fmt.Sprintf("server_name: nats%d\nlisten: %q\nhttp: %q\njetstream { store_dir: %q, sync_interval: always, max_file_store: 4GB }\n",
		of, s.client, s.monitor, s.store)
	if len(c.servers) == 1 {
		return text
	}
	var routes []string
	for to, other := range c.servers {
		if to != of {
			k := newLink(t, of, to, other.routes)
			c.links = append(c.links, k)
			routes = append(routes, fmt.Sprintf("%q", "nats://"+k.addr))
		}
	}
	return text + fmt.Sprintf("cluster { name: fleet, listen: %q, no_advertise: true, advertise: \"127.0.0.1:1\", ping_interval: \"2s\", routes: [%s] }\n",
		s.routes, strings.Join(routes, ", "))
}

// hosts are the addresses of all servers, for a URL.
func (c *cluster) hosts() string {
	var all []string
	for _, s := range c.servers {
		all = append(all, s.client)
	}
	return strings.Join(all, ",")
}

// cutOff separates a server from the others; heal ends it.
func (c *cluster) cutOff(of int) (heal func()) {
	var cut []*link
	for _, k := range c.links {
		if k.from == of || k.to == of {
			k.cut()
			cut = append(cut, k)
		}
	}
	return func() {
		for _, k := range cut {
			k.mend()
		}
	}
}

// ready says why the server does not answer, or does not see a leader.
func (s *server) ready() error {
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get("http://" + s.monitor + "/healthz?js-enabled-only=true")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", s.name, answer.Status)
	}
	return nil
}

// wantReady waits until every server that runs answers, and JetStream too.
func (c *cluster) wantReady(t testing.TB) {
	t.Helper()
	eventually(t, time.Minute, "the cluster works", func() error {
		for _, s := range c.servers {
			if s.runs() {
				if err := s.ready(); err != nil {
					return err
				}
			}
		}
		_, err := c.tryAPI(t, "INFO", nil)
		return err
	})
}

// connect connects to a server that runs, without any of our own code.
func (c *cluster) connect(t testing.TB) (*nats.Conn, error) {
	t.Helper()
	var hosts []string
	for _, s := range c.servers {
		if s.runs() {
			hosts = append(hosts, "nats://"+s.client)
		}
	}
	return nats.Connect(strings.Join(hosts, ","), nats.Timeout(2*time.Second), nats.NoReconnect())
}

// tryAPI asks JetStream.
func (c *cluster) tryAPI(t testing.TB, subject string, question any) (map[string]any, error) {
	t.Helper()
	conn, err := c.connect(t)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var body []byte
	if question != nil {
		if body, err = json.Marshal(question); err != nil {
			t.Fatal(err)
		}
	}
	reply, err := conn.Request("$JS.API."+subject, body, 3*time.Second)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", subject, err)
	}
	var answer map[string]any
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	if answer["error"] != nil {
		return nil, fmt.Errorf("%s: %v", subject, answer["error"])
	}
	return answer, nil
}

// api is tryAPI until it succeeds.
func (c *cluster) api(t testing.TB, subject string, question any) (answer map[string]any) {
	t.Helper()
	eventually(t, time.Minute, subject, func() (err error) {
		answer, err = c.tryAPI(t, subject, question)
		return err
	})
	return answer
}

// state is how the stream stands: its first and last sequence.
func (c *cluster) state(t testing.TB) (first, last uint64) {
	t.Helper()
	s := c.api(t, "STREAM.INFO."+streamName, nil)["state"].(map[string]any)
	return uint64(s["first_seq"].(float64)), uint64(s["last_seq"].(float64))
}
