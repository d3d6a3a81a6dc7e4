//go:build unix

package cli

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryDatagramGivesOneValidLine sends what should and what should not come over the wire to the real daemon.
func TestEveryDatagramGivesOneValidLine(t *testing.T) {
	long := strings.Repeat("x", 65_507-len(`{"s":""}`))
	deep := strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000)
	bomb := deflated(zlib.NewWriter(nil), bytes.Repeat([]byte("0"), 20<<20))
	good := deflated(zlib.NewWriter(nil), []byte(`{"ID": "HTB"}`))
	corrupt := bytes.Clone(good)
	corrupt[len(corrupt)-1]++

	tests := []struct {
		name     string
		datagram string
		want     string // the message, or its start if it ends in …
	}{
		{"heartbeat", `{"ID":"HTB","name":"webserver1","interval":30,"ver":1}`, `{"ID":"HTB","name":"webserver1","interval":30,"ver":1}`},
		{"white space of Python's json.dumps", `{"ID": "PLG", "l": [1, 2.50]}`, `{"ID":"PLG","l":[1,2.50]}`},
		{"zlib", string(good), `{"ID":"HTB"}`},
		{"gzip", string(deflated(gzip.NewWriter(nil), []byte(`{"ID": "HTB"}`))), `{"ID":"HTB"}`},
		{"largest datagram", `{"s":"` + long + `"}`, `{"s":"` + long + `"}`},
		{"empty datagram", "", `{"_raw":"","_error":"empty datagram"}`},
		{"array", "[1, 2]", `{"_value":[1,2]}`},
		{"number that no float holds", `{"a":1e400,"b":-0,"c":12345678901234567890}`, `{"a":1e400,"b":-0,"c":12345678901234567890}`},
		{"duplicate keys", `{"a":1,"a":2}`, `{"a":1,"a":2}`},
		{"line breaks between tokens", "{\r\n\"a\":\n1\n}\n", `{"a":1}`},
		{"line break in a string", "{\"a\":\"x\ny\"}", `{"_raw":"{\"a\":\"x\ny\"}","_error":"…`},
		{"broken JSON", `{"a":`, `{"_raw":"{\"a\":","_error":"…`},
		{"text", "hello", `{"_raw":"hello","_error":"…`},
		{"NUL and control bytes", "a\x00\x01\x1b[31m", `{"_raw":"a\u0000\u0001\u001b[31m","_error":"…`},
		{"broken UTF-8 in JSON", "{\"a\":\"\xff\"}", "{\"a\":\"\ufffd\"}"},
		{"bytes that are no text", "\xff\xfe\x00", `{"_raw_base64":"//4A","_error":"…`},
		{"60,000 brackets", deep, `{"_…`},
		{"zlib that is cut", string(good[:len(good)-3]), `{"_raw_base64":"…`},
		{"zlib with a wrong checksum", string(corrupt), `{"_raw_base64":"…`},
		{"zlib bomb", string(bomb), `{"_raw_base64":"…`},
	}

	dir := t.TempDir()
	d := startDaemon(t, dir)
	conn, err := net.Dial("udp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, tt := range tests {
		if _, err := conn.Write([]byte(tt.datagram)); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
	}
	path := filepath.Join(dir, "journal", "messages.journal")
	lines := waitLines(t, path, len(tests))
	for i, tt := range tests {
		var entry struct {
			SourceIP string `json:"source_ip"`
			Message  json.RawMessage
		}
		if err := json.Unmarshal([]byte(lines[i]), &entry); err != nil || entry.SourceIP != "127.0.0.1" {
			t.Errorf("%s: got %.200q, %v, want a valid entry from 127.0.0.1", tt.name, lines[i], err)
			continue
		}
		want, isStart := strings.CutSuffix(tt.want, "…")
		if got := string(entry.Message); got != want && !(isStart && strings.HasPrefix(got, want)) {
			t.Errorf("%s: got message %.200s, want %.200s", tt.name, got, tt.want)
		}
	}
	wantJQReads(t, path, len(tests))
}

// deflated compresses data with w, which must be a zlib or gzip Writer.
func deflated(w interface {
	io.WriteCloser
	Reset(io.Writer)
}, data []byte,
) []byte {
	var b bytes.Buffer
	w.Reset(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// startDaemon runs the real program with its journal in dir/journal until the test ends.
func startDaemon(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p, err := start(launch{
		dir:     dir,
		stderr:  filepath.Join(dir, "log"),
		environ: []string{"HOME=" + dir, "JOURNAL_DIR=journal", "LISTEN_ADDR=127.0.0.1:0", "HTTP_ADDR=127.0.0.1:0"},
		args:    args,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// waitLines waits until the file has n lines and returns them.
func waitLines(t *testing.T, path string, n int) []string {
	t.Helper()
	err := poll(func() error { return wantLines(n, []string{path}) })
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// wantJQReads checks that jq, where there is one, reads n entries from the file.
func wantJQReads(t *testing.T, path string, n int) {
	t.Helper()
	if _, err := exec.LookPath("jq"); err != nil {
		t.Log("jq is not installed: not checked that it reads the journal")
		return
	}
	out, err := exec.CommandContext(t.Context(), "jq", "-c", ".message|type", path).CombinedOutput()
	if got := strings.Count(string(out), "\"object\"\n"); err != nil || got != n {
		t.Errorf("got %d objects from jq, %v, want %d: %.300s", got, err, n, out)
	}
}
