package receivers

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/Graylog2/go-gelf/gelf"
)

// A row of the kill table: a receiver, a proxy before it, and the journal that is shipped to it again and again.
type row struct {
	receiver interface {
		run()
		kill()
		term()
		texts() []string
	}
	url    string
	proxy  *proxy
	book   *book
	random *rand.Rand
	sent   int         // bytes that go over the wire, when nothing goes wrong
	answer int         // answers, or ends of the receiver's side, that come then
	had    map[int]int // what the receiver had before
}

func newRow(t *testing.T, receiver daemon, url func(addr string) string) *row {
	t.Helper()
	r := &row{
		receiver: receiver, proxy: newProxy(t, receiver.addr()), book: newBook(t, 300), random: rand.New(rand.NewPCG(seed(), 0)),
		had: make(map[int]int),
	}
	r.url = url(r.proxy.addr())
	r.proxy.watch(func(toReceiver bool, n int) bool {
		if toReceiver {
			r.sent += n
		} else {
			r.answer++
		}
		return true
	})
	r.book.ship(t, r.url, r.book.name())
	r.proxy.watch(nil)
	r.check(t, 0)
	return r
}

// check wants what came since the last check to be the whole journal, with at most so many doubles.
func (r *row) check(t *testing.T, again int) {
	t.Helper()
	var fresh map[int]int
	whole := func() bool {
		fresh = counts(t, r.receiver.texts())
		for seq, n := range r.had {
			fresh[seq] -= n
		}
		missing := slices.ContainsFunc(slices.Collect(maps.Values(fresh)), func(n int) bool { return n < 1 })
		return !missing && len(fresh) == len(r.book.messages)
	}
	for range 200 { // What was read may still be on its way into a file.
		if whole() {
			break
		}
		eventually(t, "a moment", tick())
	}
	r.book.wantAll(t, fresh, again)
	for seq, n := range fresh {
		r.had[seq] += n
	}
}

// tick is true from its second call on.
func tick() func() bool {
	called := false
	return func() bool {
		defer func() { called = true }()
		return called
	}
}

// strikeAt returns a channel that is closed when so many bytes have gone to the receiver.
func (r *row) strikeAt(bytes int) <-chan struct{} {
	struck := make(chan struct{})
	passed := 0
	r.proxy.watch(func(toReceiver bool, n int) bool {
		if toReceiver {
			if passed <= bytes && passed+n > bytes {
				close(struck)
			}
			passed += n
		}
		return true
	})
	return struck
}

// killSender kills the sender at random bytes, up to three times, and lets it end.
func (r *row) killSender(t *testing.T) {
	for i := range points() {
		name, kills := r.book.name(), 1+i%3
		for range kills {
			struck := r.strikeAt(r.random.IntN(r.sent))
			p := r.book.shipper(t, r.url, name)
			select {
			case <-struck:
				p.kill()
			case <-p.ended:
			}
		}
		r.proxy.watch(nil)
		r.book.ship(t, r.url, name)
		r.check(t, kills*batchLines)
	}
}

// endReceiver ends the receiver at a random byte, as its service manager would, and starts it again.
func (r *row) endReceiver(t *testing.T) {
	for range points() {
		struck := r.strikeAt(r.random.IntN(r.sent))
		p := r.book.shipper(t, r.url, r.book.name())
		select {
		case <-struck:
			r.receiver.term()
			r.receiver.run()
		case <-p.ended:
		}
		<-p.ended
		if p.err != nil {
			t.Fatalf("forward: %v\n%s", p.err, p.said())
		}
		r.check(t, 2*batchLines)
	}
}

// cut cuts the connection at a random byte on the way there.
func (r *row) cut(t *testing.T) {
	for range points() {
		at, passed := r.random.IntN(r.sent), 0
		r.proxy.watch(func(toReceiver bool, n int) bool {
			if !toReceiver {
				return true
			}
			before := passed
			passed += n
			return before > at || passed <= at
		})
		r.book.ship(t, r.url, r.book.name())
		r.check(t, batchLines)
	}
}

// loseAnswer cuts the connection when an answer comes back.
func (r *row) loseAnswer(t *testing.T) {
	for range points() {
		at, answers := r.random.IntN(r.answer), 0
		r.proxy.watch(func(toReceiver bool, _ int) bool {
			if toReceiver {
				return true
			}
			answers++
			return answers-1 != at
		})
		r.book.ship(t, r.url, r.book.name())
		r.check(t, batchLines)
	}
}

// killReceiver kills the receiver at random bytes and starts it again.
//
// What it had confirmed and not stored is its own loss, which is measured; the sender has to go on by itself, and the next journal
// has to arrive whole.
func (r *row) killReceiver(t *testing.T) {
	times, lost := (points()+2)/3, 0
	for range times {
		struck := r.strikeAt(r.random.IntN(r.sent))
		p := r.book.shipper(t, r.url, r.book.name())
		select {
		case <-struck:
			r.receiver.kill()
			r.receiver.run()
		case <-p.ended:
		}
		<-p.ended
		if p.err != nil {
			t.Fatalf("forward: %v\n%s", p.err, p.said())
		}
		r.receiver.term() // It stores what it still holds.
		r.receiver.run()
		now := counts(t, r.receiver.texts())
		for seq := range r.book.messages {
			lost += max(0, r.had[seq]+1-now[seq])
		}
		r.had = now
	}
	t.Logf("killed %d times, it lost %d messages of those that it had confirmed", times, lost)
	r.proxy.watch(nil)
	r.book.ship(t, r.url, r.book.name())
	r.check(t, batchLines)
}

func (r *row) cells(t *testing.T) {
	for _, cell := range []struct {
		name string
		try  func(*testing.T)
	}{{"killed sender", r.killSender}, {"ended receiver", r.endReceiver}, {"cut connection", r.cut}, {"lost answer", r.loseAnswer}, {"killed receiver", r.killReceiver}} {
		t.Run(cell.name, cell.try)
	}
}

func TestKillTableOfSyslogDaemons(t *testing.T) {
	for name, make := range daemons() {
		for _, transport := range []string{"tcp", "tls"} {
			t.Run(fmt.Sprintf("%s over %s", name, transport), func(t *testing.T) {
				t.Parallel()
				d := make(t, transport)
				r := newRow(t, d, func(addr string) string { return "syslog+" + transport + "://" + addr + d.options() })
				r.cells(t)
			})
		}
	}
}

// TestKillTableOfCEFAndGELF has rsyslog take them as it takes anything, and write what came.
func TestKillTableOfCEFAndGELF(t *testing.T) {
	for _, form := range []string{"cef", "gelf"} {
		for _, transport := range []string{"tcp", "tls"} {
			t.Run(form+" over "+transport, func(t *testing.T) {
				t.Parallel()
				d := &wholeOf{syslogDaemon: newRawRsyslog(t, transport)}
				r := newRow(t, d, func(addr string) string { return form + "+" + transport + "://" + addr + d.options() })
				checkForms(t, form, d.texts(), r.book.messages)
				r.cells(t)
				d.texts()
				t.Logf("%d beginnings of messages were taken for messages", d.torn)
				if most := 8 * points(); d.torn > most {
					t.Errorf("got %d beginnings of messages, want %d at most: one for each end of a connection", d.torn, most)
				}
			})
		}
	}
}

// wholeOf is a daemon of whose messages only those count that are whole: without octet counting, rsyslog takes what it has when
// a connection ends for a message, though its end is missing.
type wholeOf struct {
	*syslogDaemon
	torn int
}

func (d *wholeOf) texts() (whole []string) {
	d.torn = 0
	for _, text := range d.syslogDaemon.texts() {
		object := text
		if _, message, ok := strings.Cut(text, " CEF:0|"); ok || strings.HasPrefix(text, "<") {
			_, message, _ = strings.Cut(message, " msg=")
			object = strings.NewReplacer(`\\`, `\`, `\=`, `=`).Replace(message)
		}
		if json.Valid([]byte(object)) {
			whole = append(whole, text)
		} else {
			d.torn++
		}
	}
	return whole
}

// checkForms takes what came apart, in the order of the messages.
func checkForms(t *testing.T, form string, texts, messages []string) {
	t.Helper()
	for i, text := range texts {
		if form == "cef" {
			if _, event, ok := strings.Cut(text, " CEF:0|hbjournal|hbjournal|1|"); !ok || !strings.HasPrefix(text, "<134>Mar 28 12:00:00 ") || !strings.Contains(event, " src=192.0.2.7 ") {
				t.Errorf("message %d: no event of CEF: %.300q", i, text)
			}
			continue
		}
		var m gelf.Message
		if err := m.UnmarshalJSON([]byte(text)); err != nil || m.Full != messages[i] || m.Version != "1.1" || m.Host == "" || m.Extra["_source_ip"] != "192.0.2.7" {
			t.Errorf("message %d: %v: got %.300q, want %.300q", i, err, text, messages[i])
		}
	}
}

func TestKillTableOfVictoriaLogs(t *testing.T) {
	for name, url := range victoriaRows(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVictoria(t)
			newRow(t, v, func(addr string) string { return url(v, addr) }).cells(t)
		})
	}
}
