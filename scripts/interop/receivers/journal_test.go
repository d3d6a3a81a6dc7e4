package receivers

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// A book is a journal that is shipped again and again, to a new output each time.
type book struct {
	dir      string
	messages []string
	next     int // for the name of the next output
}

// hostile are messages that something might take for something else.
var hostile = []string{
	`{"seq":0,"ID":"a|b=c\\d\ne","name":"x|y=z\\\r\n] \"q\"","plugin":"\u0000\t\u001b[31m\u007f"}`,
	`{"seq":1,"name":"über web 日本語","ID":"H T B"}`,
	`{"seq":2,"a":1,"a.b":2,"":3,"_time":"x","_stream":"y","time":5,"timestamp":7,"message":{"x":1},"id":9,"@timestamp":"1999"}`,
	`{"seq":3,"deep":` + strings.Repeat(`{"a":`, 120) + `1` + strings.Repeat("}", 120) + `}`,
	`{"seq":4,"long":"` + strings.Repeat("x", 7000) + `"}`,
	`{"seq":5,"big":1e999,"small":-0.0,"long":12345678901234567890}`,
}

// newBook writes a journal of n messages, the first of which are hostile.
func newBook(t testing.TB, n int) *book {
	t.Helper()
	b := &book{dir: t.TempDir(), messages: append([]string{}, hostile[:min(n, len(hostile))]...)}
	for seq := len(b.messages); seq < n; seq++ {
		b.messages = append(b.messages, fmt.Sprintf(`{"seq":%d,"ID":"HTB","name":"web%d","load":[0.1,%d.5],"pad":"%0100d"}`, seq, seq%9, seq%4, seq))
	}
	encoder, text := journal.NewEncoder(nil), []byte(nil)
	for i, message := range b.messages {
		text = encoder.AppendLine(text, at(i), netip.MustParseAddrPort("192.0.2.7:50003"), []byte(message))
	}
	if err := os.WriteFile(filepath.Join(b.dir, "messages.journal"), text, 0o640); err != nil {
		t.Fatal(err)
	}
	return b
}

// at is the time of the i-th message: three have the same.
func at(i int) time.Time {
	return time.Date(2026, 3, 28, 12, 0, 0, i/3*int(time.Millisecond), time.UTC)
}

// batchBytes is the size of the batches here: a few lines.
const batchBytes = 4 << 10

// batchLines is more than a batch holds of the lines that are not hostile.
const batchLines = batchBytes/200 + 1

// shipper starts `hbjournal forward --once`, with the state of this name.
func (b *book) shipper(t testing.TB, url, name string) *process {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	sep := "?"
	if strings.Contains(url, "?") {
		sep = "&"
	}
	url += sep + "name=" + name + "&batch_bytes=" + strconv.Itoa(batchBytes) + "&timeout=5s"
	return start(t, []string{"JOURNAL_DIR=" + b.dir, "RECEIVER_NAME=rx1"}, path, "forward", "--once", "--journal-id", "interop", url)
}

// ship ships the journal until all is sent.
func (b *book) ship(t testing.TB, url, name string) {
	t.Helper()
	p := b.shipper(t, url, name)
	<-p.ended
	if p.err != nil {
		dead, _ := os.ReadFile(filepath.Join(b.dir, ".messages.journal.d/forward", name, "dead.jsonl"))
		t.Fatalf("forward: %v\n%s\n%.1000s", p.err, p.said(), dead)
	}
}

// name is that of another output.
func (b *book) name() string {
	b.next++
	return fmt.Sprintf("out-%d", b.next)
}

var seqOf = regexp.MustCompile(`seq\W+(\d+)`)

// counts is how often each message was received, by its seq.
func counts(t testing.TB, texts []string) map[int]int {
	t.Helper()
	all := make(map[int]int)
	for _, text := range texts {
		found := seqOf.FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("received something that is none of the messages: %.300q", text)
		}
		n, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		all[n]++
	}
	return all
}

// wantAll checks that every message was received, and that at most so many were received again.
func (b *book) wantAll(t testing.TB, received map[int]int, again int) (doubled int) {
	t.Helper()
	lost := 0
	for seq := range b.messages {
		switch n := received[seq]; {
		case n == 0:
			if lost++; lost < 5 {
				t.Errorf("message %d is lost", seq)
			}
		default:
			doubled += n - 1
		}
	}
	if lost > 0 || doubled > again || len(received) > len(b.messages) {
		t.Errorf("%d of %d messages are lost, %d doubled; want 0 and at most %d", lost, len(b.messages), doubled, again)
	}
	return doubled
}
