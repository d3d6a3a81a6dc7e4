package status

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"hbjournal/ingest"
	"hbjournal/sink"
	"hbjournal/sink/forward"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// busy is the state of a daemon to which everything has happened.
func busy() Snapshot {
	in := ingest.Intake{Received: 105, Limited: map[string]uint64{"rate": 2, "source": 3}, ReceivedBytes: 9000, Accepted: 80, Invalid: 7, Dropped: map[string]uint64{"queue": 13}, Kernel: 5}
	out := sink.Stats{
		CurrentSize: 11, RotationThreshold: 12, DiskFree: 12345, Entries: 70, Notes: 2, Bytes: 8000, Queued: 6, QueuedBytes: 600,
		Dropped: map[string]uint64{"queue": 13, "shutdown": 4, "kernel": 5}, Backups: 3, Rotations: map[string]uint64{"size": 9},
		Removed: 6, ExternalChanges: 1, WriteErrors: 2, LastWrite: 1711234567123,
	}
	return Snapshot{Stats: out, Enabled: true, Ledger: Account(in, out), ReceiveBuffer: 4096}
}

func get(t *testing.T, s Snapshot, path string) (code int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	handler("1.2.3", func() Snapshot { return s }).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func want(t *testing.T, s Snapshot, path string, code int, texts ...string) {
	t.Helper()
	gotCode, body := get(t, s, path)
	if gotCode != code {
		t.Errorf("GET %s: got status %d, want %d", path, gotCode, code)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("GET %s: got a body without %q:\n%s", path, text, body)
		}
	}
}

func TestHealthSaysThatTheProcessLives(t *testing.T) {
	want(t, Snapshot{Stats: sink.Stats{Degraded: map[string]string{"write": "full"}}}, "/healthz", 200, "ok\n")
}

func TestReadySaysWhyNot(t *testing.T) {
	want(t, busy(), "/readyz", 200, "ready\n")
	s := busy()
	s.Degraded = map[string]string{"write": "no space left on device", "fsync": "input/output error"}
	want(t, s, "/readyz", 503, "not ready\nfsync: input/output error\nwrite: no space left on device\n")
	s = busy()
	s.Stopping = true
	want(t, s, "/readyz", 503, "not ready\nstopping\n")
}

func TestReadyWarnsOfWhatLosesNothing(t *testing.T) {
	s := busy()
	s.RotationError, s.CleanUpError = "rotate x: refused", "remove y: refused"
	want(t, s, "/readyz", 200, "ready\nwarning: rotate x: refused\nwarning: remove y: refused\n")
}

func TestStatsHoldTheFiguresAndTheLedger(t *testing.T) {
	_, body := get(t, busy(), "/stats")
	var got struct {
		CurrentSize       int64 `json:"current_size"`
		RotationThreshold int64 `json:"rotation_threshold"`
		Entries           uint64
		Ledger            Ledger
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.CurrentSize != 11 || got.RotationThreshold != 12 || got.Entries != 70 {
		t.Errorf("GET /stats: got %+v, want the figures of the journal", got)
	}
	l := got.Ledger
	if l.Received != 105 || l.Journaled != 70 || l.Queued != 6 || l.Dropped["shutdown"] != 4 || l.Kernel != 5 {
		t.Errorf("GET /stats: got ledger %+v, want that of the daemon", l)
	}
	if l.Missing() != 0 {
		t.Errorf("ledger: %d are missing, want none", l.Missing())
	}
}

func TestMissingCountsWhatIsNotAccountedFor(t *testing.T) {
	l := busy().Ledger
	l.Received += 3
	l.Journaled--
	if l.Missing() != 4 {
		t.Errorf("Missing: got %d, want 4", l.Missing())
	}
}

func TestMetricsPassTheLinter(t *testing.T) {
	problems, err := testutil.GatherAndLint(newRegistry(&collector{version: "1.2.3", snapshot: busy}))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestMetricNamesStay holds what dashboards and alerts are made of.
func TestMetricNamesStay(t *testing.T) {
	want(t, busy(), "/metrics", 200,
		"\njournal_datagrams_received_total 105\n",
		"\njournal_received_bytes_total 9000\n",
		"\njournal_entries_written_total 70\n",
		"\njournal_notes_written_total 2\n",
		"\njournal_written_bytes_total 8000\n",
		"\njournal_wrapped_total 0\n",
		"\njournal_repaired_total 0\n",
		"\njournal_write_errors_total 2\n",
		"\njournal_backups 3\n",
		"\njournal_backups_removed_total 6\n",
		"\njournal_disk_free_bytes 12345\n",
		"\njournal_socket_receive_buffer_bytes 4096\n",
		"\njournal_external_changes_total 1\n",
		"\njournal_queue_entries 6\n",
		"\njournal_queue_bytes 600\n",
		"\njournal_file_size_bytes 11\n",
		"\njournal_file_size_limit_bytes 12\n",
		"\njournal_last_write_timestamp_seconds 1.711234567123e+09\n",
		"\njournal_dropped_total{reason=\"kernel\"} 5\n",
		"\njournal_dropped_total{reason=\"queue\"} 13\n",
		"\njournal_dropped_total{reason=\"shutdown\"} 4\n",
		"\njournal_dropped_total{reason=\"invalid\"} 7\n",
		"\njournal_dropped_total{reason=\"ratelimit\"} 2\n",
		"\njournal_dropped_total{reason=\"source\"} 3\n",
		"\njournal_rotations_total{reason=\"size\"} 9\n",
		"\njournal_build_info{go_version=\"go", "version=\"1.2.3\"} 1\n",
		"\ngo_goroutines ", "\nprocess_open_fds ",
	)
}

func TestCountersExistBeforeAnythingHappens(t *testing.T) {
	want(t, Snapshot{Ledger: Account(ingest.Intake{}, sink.Stats{})}, "/metrics", 200,
		"\njournal_dropped_total{reason=\"kernel\"} 0\n",
		"\njournal_dropped_total{reason=\"queue\"} 0\n",
		"\njournal_dropped_total{reason=\"disabled\"} 0\n",
		"\njournal_dropped_total{reason=\"ratelimit\"} 0\n",
		"\njournal_dropped_total{reason=\"source\"} 0\n",
		"\njournal_rotations_total{reason=\"request\"} 0\n",
		"\njournal_degraded{cause=\"write\"} 0\n",
		"\njournal_degraded{cause=\"rotation\"} 0\n",
		"\njournal_degraded{cause=\"encryption\"} 0\n",
		"\njournal_backups_unencrypted 0\n",
		"\njournal_backups_unencrypted_age_seconds 0\n",
		"\njournal_backups_encrypted_total 0\n",
		"\njournal_last_write_timestamp_seconds 0\n",
	)
}

func TestMetricsTellWhatIsDegraded(t *testing.T) {
	s := busy()
	s.Degraded, s.RotationError = map[string]string{"write": "full"}, "refused"
	s.EncryptError, s.Unencrypted, s.UnencryptedAge = "no room", 2, 61.5
	want(t, s, "/metrics", 200,
		"\njournal_degraded{cause=\"write\"} 1\n",
		"\njournal_degraded{cause=\"rotation\"} 1\n",
		"\njournal_degraded{cause=\"fsync\"} 0\n",
		"\njournal_degraded{cause=\"encryption\"} 1\n",
		"\njournal_backups_unencrypted 2\n",
		"\njournal_backups_unencrypted_age_seconds 61.5\n",
	)
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{"/", "/debug/pprof/", "/metrics/x"} {
		want(t, busy(), path, 404)
	}
	w := httptest.NewRecorder()
	handler("", busy).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/stats", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /stats: got status %d, want 405", w.Code)
	}
}

// serve runs a Server for the time of the test.
func serve(t *testing.T) *Server {
	t.Helper()
	s, err := Listen("127.0.0.1:0", "1.2.3", busy)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestAddressInUseIsAnErrorThatNamesIt(t *testing.T) {
	s := serve(t)
	_, err := Listen(s.Addr().String(), "", busy)
	if err == nil || !strings.Contains(err.Error(), s.Addr().String()) || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Listen: got %v, want an error that names the address and says it is in use", err)
	}
}

func TestSlowClientIsCutOffAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := serve(t)
	slow, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "GET /stats HTTP/1.1\r\nHost:"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + s.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); line != "ready\n" || err != nil {
		t.Errorf("GET /readyz beside a slow client: got %q, %v", line, err)
	}
	if err := slow.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(slow); err != nil {
		t.Errorf("the slow client is still connected: %v", err)
	}
}

func TestAnOutputThatIsDownIsAWarningAndShownInTheMetrics(t *testing.T) {
	s := busy()
	s.Outputs = []forward.Figures{{
		Name: "web", State: forward.Failing, Error: "no such index", Totals: forward.Totals{Lines: 7, Missed: 1},
		RefusedBy: map[string]int64{"400": 2}, Retries: map[forward.Class]int64{forward.Network: 3}, LagBytes: 11, DeadBytes: 12, HeldBytes: 13,
	}}
	want(t, s, "/readyz", 200, "ready\nwarning: output web is failing since ", ": no such index")
	want(t, s, "/healthz", 200, "ok")
	want(t, s, "/stats", 200, `"outputs": [`, `"error": "no such index"`)
	want(t, s, "/metrics", 200,
		"\njournal_forward_lines_total{output=\"web\"} 7\n",
		"\njournal_forward_missed_total{output=\"web\"} 1\n",
		"\njournal_forward_up{output=\"web\"} 0\n",
		"\njournal_forward_failing{output=\"web\"} 1\n",
		"\njournal_forward_lag_seconds{output=\"web\"} 0\n",
		"\njournal_forward_lag_bytes{output=\"web\"} 11\n",
		"\njournal_forward_held_bytes{output=\"web\"} 13\n",
		"\njournal_forward_dead_bytes{output=\"web\"} 12\n",
		"\njournal_forward_rejected_lines_total{output=\"web\",reason=\"400\"} 2\n",
		"\njournal_forward_retries_total{class=\"network\",output=\"web\"} 3\n",
		"\njournal_forward_retries_total{class=\"ambiguous\",output=\"web\"} 0\n",
		"\njournal_forward_batch_seconds_count{output=\"web\"} 0\n",
	)
	if problems, err := testutil.GatherAndLint(newRegistry(&collector{version: "1.2.3", snapshot: func() Snapshot { return s }})); err != nil || len(problems) > 0 {
		t.Errorf("got %v, %v", problems, err)
	}
}
