package killtest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"hbjournal/scripts/freeport"
	"hbjournal/sink/forward"
)

// A shelf is what a receiver in this process keeps.
type shelf struct {
	mu      sync.Mutex
	numbers []int
	ids     map[string]bool
}

var number = regexp.MustCompile(`"n\\?":(\d+)`)

// put keeps the numbers of the messages in text.
func (s *shelf) put(text string) {
	for _, found := range number.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(found[1])
		s.numbers = append(s.numbers, n)
	}
}

// putOnce keeps one message, unless it has one of this id; again says that it has.
func (s *shelf) putOnce(id, text string) (again bool) {
	if s.ids[id] {
		return true
	}
	if s.ids == nil {
		s.ids = make(map[string]bool)
	}
	s.ids[id] = true
	s.put(number.FindString(text))
	return false
}

const poison = "poison"

// A stand is a kind of receiver over HTTP that stands in for a real one: what it answers to a body after its documentation, and
// how much may be there twice.
type stand struct {
	url     string // of the output, with %s for the server's address
	doubles int
	unnamed bool // it does not say which line it refused
	rarer   int  // how many times rarer the faults are, where a batch is many requests; 0: 1
	take    func(s *shelf, path, body string) (status int, kind, answer string)
}

// stands are the receivers of which no real one can be had, and VictoriaLogs, whose real one is in scripts/interop.
func stands(t testing.TB) map[string]stand {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]stand{
		"elasticsearch": {url: "elasticsearch://%s/?", take: takeBulk},
		"loki":          {url: "loki://%s/?", take: takeLoki},
		"splunk":        {url: "splunk://%s/?ack=true&token_file=" + token + "&", doubles: ABatch, take: takeEvents},
		"gelf+http":     {url: "gelf+http://%s/?", doubles: ABatch, rarer: 30, take: takeAny},
		"gelf bulk":     {url: "gelf+http://%s/?bulk=true&", doubles: ABatch, take: takeAny},
		"victorialogs":  {url: "victorialogs://%s/?", doubles: ABatch, take: takeAny},
		"otlp":          {url: "otlp://%s/?encoding=json&", doubles: ABatch, unnamed: true, take: takeRecords},
	}
}

func takeAny(s *shelf, _, body string) (int, string, string) {
	if strings.Contains(body, poison) {
		return 400, "", "what is this?"
	}
	s.put(onlyWhole(body))
	return 202, "", ""
}

// onlyWhole leaves of GELF, which has a message whole and its fields one by one, what is to be counted.
func onlyWhole(body string) string { return strings.ReplaceAll(body, `"_n":`, "") }

func takeBulk(s *shelf, _, body string) (int, string, string) {
	var items []string
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		outcome := `{"status":201}`
		switch id := gjson.Get(lines[i], "create._id").String(); {
		case strings.Contains(lines[i+1], poison):
			outcome = `{"status":400,"error":{"type":"document_parsing_exception","reason":"what is this?"}}`
		case s.putOnce(id, lines[i+1]):
			outcome = `{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"it exists"}}`
		}
		items = append(items, `{"create":`+outcome+`}`)
	}
	return 200, "", `{"errors":false,"items":[` + strings.Join(items, ",") + `]}`
}

func takeLoki(s *shelf, _, body string) (int, string, string) {
	values, ignored := gjson.Get(body, "streams.0.values").Array(), ""
	for _, value := range values {
		stamp, line := value.Get("0"), value.Get("1").String()
		if strings.Contains(line, poison) {
			ignored = fmt.Sprintf("entry with timestamp %s ignored, reason: 'entry too far behind',\nuser 'x', total ignored: 1 out of %d", time.Unix(0, stamp.Int()).UTC(), len(values))
			continue
		}
		s.putOnce(stamp.String()+line, line)
	}
	if ignored != "" {
		return 400, "", ignored
	}
	return 204, "", ""
}

func takeEvents(s *shelf, path, body string) (int, string, string) {
	if strings.HasSuffix(path, "/ack") {
		var acks []string
		for _, id := range gjson.Get(body, "acks").Array() {
			acks = append(acks, `"`+id.Raw+`":true`)
		}
		return 200, "", `{"acks":{` + strings.Join(acks, ",") + `}}`
	}
	for i, event := range strings.Split(body, "\n") {
		if strings.Contains(event, poison) {
			return 400, "", fmt.Sprintf(`{"text":"Invalid data format","code":6,"invalid-event-number":%d}`, i)
		}
	}
	s.put(body)
	return 200, "", fmt.Sprintf(`{"text":"Success","code":0,"ackId":%d}`, len(s.numbers))
}

func takeRecords(s *shelf, _, body string) (int, string, string) {
	s.put(body)
	if strings.Contains(body, poison) {
		return 200, "application/json", `{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"what is this?"}}`
	}
	return 200, "application/json", `{}`
}

// row is a row with a receiver of this kind, which has faults.
func (k stand) row(t testing.TB, plan func(int) Fault) (Row, *Faulty, *httptest.Server) {
	t.Helper()
	if plan == nil {
		plan = func(int) Fault { return None }
	}
	s := &shelf{}
	faulty := &Faulty{Plan: plan, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		status, kind, answer := k.take(s, r.URL.Path, string(body))
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	})}
	server := serveAt(t, freeport.Must(t).Addr(), faulty)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	url := fmt.Sprintf(k.url, strings.TrimPrefix(server.URL, "http://")) + "timeout=300ms&" + Batch
	return Row{URL: url, Doubles: k.doubles, Numbers: s.all}, faulty, server
}

func (s *shelf) all(testing.TB) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int{}, s.numbers...)
}

// eachStand runs f with each kind of receiver, all at once: they wait most of the time.
func eachStand(t *testing.T, f func(*testing.T, stand)) {
	for name, k := range stands(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, k)
		})
	}
}

func TestKillsOfTheSenderToEachReceiverWithFaults(t *testing.T) {
	eachStand(t, func(t *testing.T, k stand) {
		random := Random(t)
		var mu sync.Mutex
		doubts := 0
		r, _, _ := k.row(t, func(int) Fault {
			mu.Lock()
			defer mu.Unlock()
			if random.IntN(20*max(1, k.rarer)) > 0 {
				return None
			}
			doubts++
			return Fault(1 + random.IntN(int(Broken)))
		})
		j := NewJournal(t)
		for range Kills() {
			r.live(t, j, Random(t))
		}
		r.Finish(t, j)
		mu.Lock() // A request of a sender that was killed may still be answered.
		defer mu.Unlock()
		r.Want(t, j.Count(), Kills()+doubts)
	})
}

func TestFaultsOfEachReceiver(t *testing.T) {
	eachStand(t, func(t *testing.T, k stand) {
		for fault := CutBefore; fault <= Broken; fault++ {
			var mu sync.Mutex
			doubts := 0
			r, _, _ := k.row(t, func(i int) Fault {
				mu.Lock()
				defer mu.Unlock()
				if i%(4*max(1, k.rarer)) != 0 {
					return None
				}
				if fault != CutBefore && fault < Storm {
					doubts++
				}
				return fault
			})
			j := NewJournal(t)
			j.Write(120)
			once(t, r, j)
			r.Want(t, j.Count(), doubts)
		}
	})
}

func TestAPoisonLineToEachReceiverIsPutAside(t *testing.T) {
	eachStand(t, func(t *testing.T, k stand) {
		r, _, _ := k.row(t, nil)
		j := NewJournal(t)
		j.Write(40)
		j.Put(`{"poison":true}`)
		j.Write(40)
		loop := once(t, r, j)
		r.WantBut(t, j.Count(), 1, []int{40})
		letters, err := forward.ReadLetters(filepath.Join(r.Sender(j).StateDir, "dead.jsonl"))
		if err != nil || len(letters) != 1 || strings.Contains(letters[0].Line, poison) == k.unnamed {
			t.Errorf("dead letters: got %+v, %v", letters, err)
		}
		if got := loop.Figures().Refused; got != 1 {
			t.Errorf("refused: got %d, want 1", got)
		}
	})
}

func TestEachReceiverThatIsGoneForAWhile(t *testing.T) {
	eachStand(t, func(t *testing.T, k stand) {
		r, faulty, server := k.row(t, nil)
		j := NewJournal(t)
		j.Write(60)
		once(t, r, j)
		address := server.Listener.Addr().String()
		server.CloseClientConnections()
		if err := server.Listener.Close(); err != nil {
			t.Fatal(err)
		}
		child := r.Sender(j).Start(t)
		j.Write(60)
		eventually(t, "the sender is told that nobody listens", func() bool { return strings.Contains(child.Log(), `"class":"network"`) })
		revived := serveAt(t, address, faulty)
		defer revived.Close()
		eventually(t, "all is there", func() bool { return len(r.Numbers(t)) >= 120 })
		child.Stop(t)
		r.Want(t, j.Count(), 1)
	})
}

// syslogRow is the output syslog+tcp://, with a receiver that keeps the whole messages of each connection.
func syslogRow(t testing.TB) Row {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				text, _ := io.ReadAll(conn) // Whatever came before the end, or a reset.
				s.mu.Lock()
				defer s.mu.Unlock()
				s.put(wholeMessages(text))
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		all.Wait()
	})
	return Row{URL: "syslog+tcp://" + listener.Addr().String() + "?timeout=2s&" + Batch, Doubles: ABatch, Numbers: func(t testing.TB) []int { return s.all(t) }}
}

// wholeMessages leaves out the last message of a stream if it was cut.
func wholeMessages(text []byte) string {
	var whole strings.Builder
	for r := bufio.NewReader(bytes.NewReader(text)); ; {
		head, err := r.ReadString(' ')
		size, bad := strconv.Atoi(strings.TrimSuffix(head, " "))
		message := make([]byte, max(size, 0))
		if err != nil || bad != nil {
			return whole.String()
		}
		if _, err := io.ReadFull(r, message); err != nil {
			return whole.String()
		}
		whole.Write(message)
	}
}

func TestKillsOfTheSenderOverSyslog(t *testing.T) { syslogRow(t).KillSender(t) }
