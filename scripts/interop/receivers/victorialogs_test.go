package receivers

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"hbjournal/scripts/freeport"
)

// victoriaVersion is the release of VictoriaLogs that is built from its module.
const victoriaVersion = "v1.52.1"

// victoriaLogs is the server, built once, in a module of its own so that what it needs stays out of this one. Go's caches
// keep what it was made of, and the program itself lies in ours.
var victoriaLogs = sync.OnceValues(func() (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "victoria-logs-"+victoriaVersion)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	dir, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	const module = "github.com/VictoriaMetrics/VictoriaLogs"
	text := "module built\n\ngo 1.26\n\nrequire " + module + " " + victoriaVersion + "\n"
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o600); err != nil {
		return "", err
	}
	made := filepath.Join(dir, "victoria-logs")
	if err := command(dir, "go", "build", "-mod=mod", "-o", made, module+"/app/victoria-logs"); err != nil {
		return "", err
	}
	return path, os.Rename(made, path)
})

// victoria is a server with storage of its own.
type victoria struct {
	t            testing.TB
	port, syslog string
	data         string
	process      *process
}

func newVictoria(t testing.TB) *victoria {
	v := &victoria{t: t, port: freeport.Must(t).String(), syslog: freeport.Must(t).String(), data: t.TempDir()}
	v.run()
	return v
}

func (v *victoria) addr() string { return "127.0.0.1:" + v.port }

func (v *victoria) run() {
	v.t.Helper()
	path, err := victoriaLogs()
	if err != nil {
		v.t.Fatal(err)
	}
	v.process = start(v.t, nil, path, "-httpListenAddr="+v.addr(), "-storageDataPath="+v.data, "-retentionPeriod=100y",
		"-syslog.listenAddr.tcp=127.0.0.1:"+v.syslog, "-memory.allowedBytes=1GB")
	eventually(v.t, "VictoriaLogs", func() bool {
		if v.process.hasEnded() {
			v.t.Fatalf("VictoriaLogs: %v\n%s", v.process.err, v.process.said())
		}
		response, err := http.Get("http://" + v.addr() + "/health")
		if err == nil {
			response.Body.Close()
		}
		return err == nil
	})
}

func (v *victoria) kill() { v.process.kill() }

func (v *victoria) term() { v.process.term() }

// get asks for a page.
func (v *victoria) get(path string) string {
	v.t.Helper()
	response, err := http.Get("http://" + v.addr() + path)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		v.t.Fatalf("%s: %d %v %.300q", path, response.StatusCode, err, text)
	}
	return string(text)
}

// texts are all rows, as JSON, by their time.
func (v *victoria) texts() []string {
	v.t.Helper()
	v.get("/internal/force_flush")
	text := strings.TrimSuffix(v.get("/select/logsql/query?query=*+%7C+sort+by+%28_time%29"), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// victoriaRows are the ways into VictoriaLogs, by their schemes: the URL of a server or of a proxy before it.
func victoriaRows(t testing.TB) map[string]func(v *victoria, addr string) string {
	t.Helper()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bulk := file("bulk", "VL-Time-Field: @timestamp\nVL-Msg-Field: message\nVL-Stream-Fields: event.dataset\n")
	token := file("token", "x\n")
	return map[string]func(*victoria, string) string{
		"victorialogs": func(_ *victoria, addr string) string { return "victorialogs://" + addr },
		"elasticsearch": func(_ *victoria, addr string) string {
			return "elasticsearch://" + addr + "/insert/elasticsearch?header_file=" + bulk
		},
		"loki": func(_ *victoria, addr string) string { return "loki://" + addr + "/insert" },
		"otlp": func(_ *victoria, addr string) string { return "otlp://" + addr + "/insert/opentelemetry/v1/logs" },
		"splunk": func(_ *victoria, addr string) string {
			return "splunk://" + addr + "/insert/splunk?token_file=" + token
		},
	}
}

func TestVictoriaLogsStoresEachMessageOnceByEachOfItsWays(t *testing.T) {
	ways := victoriaRows(t)
	ways["syslog"] = func(v *victoria, _ string) string { return "syslog+tcp://127.0.0.1:" + v.syslog }
	for name, url := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVictoria(t)
			b := newBook(t, 500)
			b.ship(t, url(v, v.addr()), b.name())
			rows := v.texts()
			b.wantAll(t, counts(t, rows), 0)
			checkRow(t, name, rows, b.messages[7])
		})
	}
}

// checkRow looks at what became of one plain message: its time, its text or fields, and where it came from.
func checkRow(t testing.TB, way string, rows []string, message string) {
	t.Helper()
	seq := gjson.Get(message, "seq").String()
	for _, row := range rows {
		if found := seqOf.FindStringSubmatch(row); found == nil || found[1] != seq {
			continue
		}
		if at := gjson.Get(row, "_time").String(); !strings.HasPrefix(at, "2026-03-28T12:00:00.002") {
			t.Errorf("_time: got %s", at)
		}
		var want map[string]string
		switch way {
		case "victorialogs":
			want = map[string]string{"_msg": "HTB web7", "message.name": "web7", "source_ip": "192.0.2.7", "receiver": "rx1", "_stream": `{receiver="rx1"}`}
		case "elasticsearch":
			want = map[string]string{"_msg": message, "source.ip": "192.0.2.7", "host.name": "web7"}
		case "loki":
			want = map[string]string{"message.name": "web7", "_stream": `{job="hbjournal",receiver="rx1"}`}
		case "otlp":
			want = map[string]string{"_msg": message, "client.address": "192.0.2.7", "client.port": "50003", "host.name": "web7"}
		case "splunk":
			want = map[string]string{"event.name": "web7", "host": "web7", "fields.source_ip": "192.0.2.7"}
		case "syslog":
			want = map[string]string{"_msg": message, "hostname": "web7", "msg_id": "HTB", "hbj@32473.ip": "192.0.2.7"}
		}
		fields := gjson.Parse(row).Map()
		for field, value := range want {
			if fields[field].String() != value {
				t.Errorf("%s: got %q, want %q in\n%.1000s", field, fields[field].String(), value, row)
			}
		}
		return
	}
	t.Errorf("no row of message %s", seq)
}
