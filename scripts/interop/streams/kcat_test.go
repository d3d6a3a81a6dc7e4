package streams

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"hbjournal/sink/rotate"
)

// TestAnotherKafkaClientReadsWhatIsSent has librdkafka read it, as who reads only what is committed: neither our client nor the
// broker are of its hand. The brokers that librdkafka itself plays (2.0.2) give answers that our client cannot read.
func TestAnotherKafkaClientReadsWhatIsSent(t *testing.T) {
	path, err := exec.LookPath("kcat")
	if err != nil {
		t.Skip("kcat is not installed")
	}
	_, addr := kafkaWith(t)
	dir := t.TempDir()
	lines := writeJournal(t, dir, 500, rotate.Options{MaxBytes: 40 << 10})
	for _, until := range []int{200, 500} { // The second one finds where the first has ended.
		s := &sender{
			URL: "kafka://" + addr + "/" + topic + "?timeout=5s", Dir: dir, Journal: journalID, Receiver: "kcat",
			Lines: int64(until), Batch: 8 << 10,
		}
		if err := s.run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), path, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-b", addr,
		"-X", "isolation.level=read_committed", "-f", `%k %h\n`).Output()
	if err != nil {
		t.Fatalf("kcat: %v", err)
	}
	next := 0
	for message := range strings.Lines(string(out)) {
		key, headers, _ := strings.Cut(strings.TrimSpace(message), " ")
		all := make(map[string]string)
		for header := range strings.SplitSeq(headers, ",") {
			name, value, _ := strings.Cut(header, "=")
			all[name] = value
		}
		number, errNumber := strconv.Atoi(all["Hbj-N"])
		n, errLines := strconv.Atoi(all["Hbj-Lines"])
		if key != "kcat" || errNumber != nil || errLines != nil || number != next {
			t.Fatalf("after %d lines came a message with %q", next, message)
		}
		next += n
	}
	if next != len(lines) {
		t.Errorf("kcat read %d lines, want %d", next, len(lines))
	}
}
