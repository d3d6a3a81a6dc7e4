package ingest

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func rules(t testing.TB, texts ...string) []Rule {
	t.Helper()
	rules, err := ParseRules(texts)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

const (
	htb = `{"ID":"HTB","name":"webserver1","interval":30}`
	plg = `{"ID":"PLG","plugin":"cpu_monitor","disk":[{"path":"/"},{"path":"/var"}],"load":1.5,"ok":true}`
)

func TestFilterChoosesMessages(t *testing.T) {
	f := func(include, exclude, message string, journaled bool) {
		t.Helper()
		split := func(list string) []Rule {
			return rules(t, strings.FieldsFunc(list, func(r rune) bool { return r == ' ' })...)
		}
		filter := newFilter(split(include), split(exclude))
		if got := !filter.drops([]byte(message), sender.Addr()); got != journaled {
			t.Errorf("include %q, exclude %q, message %s: got journaled %v, want %v", include, exclude, message, got, journaled)
		}
	}
	f("", "ID=HTB", htb, false)
	f("", "ID=HTB", plg, true)
	f("ID=HTB", "", htb, true)
	f("ID=HTB", "", plg, false)
	f("ID=HTB ID=PLG", "", plg, true)
	f("ID=*", "ID=HTB", htb, false)
	f("", "plugin=cpu_*", plg, false)
	f("", "disk.1.path=/v*", plg, false)
	f("", "disk.0.path=/v*", plg, true)
	f("", "load=1.5", plg, false)
	f("", "ok=true", plg, false)
	f("", "name=web*[12]", htb, false)
	f("plugin=*", "", htb, false)
	f("name=*", "", `{"ID":"HTB","name":null}`, false)
	f("", "x=null", `{"x":null}`, false)
	f("", "source_ip=192.0.2.7", htb, false)
	f("", "source_ip=192.0.2.0/24", htb, false)
	f("", "source_ip=192.0.2.99/24", htb, false)
	f("", "source_ip=::ffff:192.0.2.7", htb, false)
	f("", "source_ip=192.0.3.0/24", htb, true)
	f("source_ip=2001:db8::/32", "", htb, false)
	f("", "_raw=*", `{"_raw":"x","_error":"no"}`, false)
}

func TestSourceRuleTakesNoHeedOfTheInterface(t *testing.T) {
	f := newFilter(nil, rules(t, "source_ip=fe80::/10"))
	if !f.drops([]byte(htb), netip.MustParseAddr("fe80::1%eth0")) {
		t.Error("a link-local sender is not in fe80::/10")
	}
}

func TestRulesThatCannotBeReadSayWhyAndHowElse(t *testing.T) {
	for text, want := range map[string]string{
		"ID":                    "has no =",
		"=HTB":                  "no field before the =",
		"ID!=HTB":               "there is no !=",
		"load>=5":               "there is no >=",
		"a..b=1":                "empty part",
		".a=1":                  "empty part",
		"name=[a-z":             "unclosed",
		"source_ip=10.*":        "neither an address nor a network",
		"source_ip=":            "neither an address nor a network",
		"source_ip=10.0.0.0/99": "neither an address nor a network",
	} {
		_, err := ParseRule(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: got error %v, want one with the rule and %q", text, err, want)
		}
	}
	_, err := ParseRules([]string{"ID", "ID=HTB", "a..b=1"})
	if err == nil || strings.Count(err.Error(), "rule ") != 2 {
		t.Errorf("two wrong rules of three: got error %v, want one about both", err)
	}
}

func TestPipelineCountsWhatIsFilteredByRule(t *testing.T) {
	to := &recorder{room: -1}
	o := Options{Include: rules(t, "ID=*"), Exclude: rules(t, "ID=HTB", "name=web*")}
	p := processed(o, to, htb, htb, plg, `{"ID":"X","name":"web"}`, `{"x":1}`, `[1]`)
	l := p.intake
	if l.Received != 6 || l.Accepted != 1 || l.Filtered != 5 {
		t.Errorf("got %+v, want 6 received, 1 accepted, 5 filtered", l)
	}
	want := map[string]uint64{"ID=HTB": 2, "name=web*": 1, notIncluded: 2}
	for rule, n := range p.filter.counts() {
		if n != want[rule] {
			t.Errorf("filtered by %q: got %d, want %d", rule, n, want[rule])
		}
	}
	if l.Wrapped != 0 {
		t.Errorf("wrapped: got %d, though none that was is journaled", l.Wrapped)
	}
}

func TestFilterDoesNotAllocate(t *testing.T) {
	f := newFilter(rules(t, "ID=*"), rules(t, "plugin=mem_*", "disk.1.path=/tmp", "source_ip=10.0.0.0/8"))
	message := []byte(plg)
	if n := testing.AllocsPerRun(1000, func() { f.drops(message, sender.Addr()) }); n != 0 {
		t.Errorf("got %v allocations a message, want 0", n)
	}
}

// The messages of which the cost of filters and duplicates is stated.
const (
	benchHeartbeat = `{"ID":"HTB","name":"webserver0001","interval":30,"ver":1,"seq":1000001}`
	benchPlugin    = `{"ID":"PLG","name":"webserver0001","plugin":"cpu_monitor","cpu_percent":45.25,"load_1min":1.5,"cores":8,` +
		`"user":30.5,"system":10.25,"idle":54.75,"iowait":4.5,"note":"all is well all is well all is well all is well","seq":1234567}`
)

func BenchmarkFilter(b *testing.B) {
	for name, texts := range map[string][]string{
		"one rule":    {"ID=XYZ"},
		"three rules": {"ID=XYZ", "plugin=mem_*", "source_ip=10.0.0.0/8"},
	} {
		f := newFilter(nil, rules(b, texts...))
		for kind, text := range map[string]string{"heartbeat": benchHeartbeat, "plugin": benchPlugin} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				message := []byte(text)
				b.ReportAllocs()
				for b.Loop() {
					f.drops(message, sender.Addr())
				}
			})
		}
	}
}

func BenchmarkDedup(b *testing.B) {
	for kind, text := range map[string]string{"heartbeat": benchHeartbeat, "plugin": benchPlugin} {
		b.Run("copy/"+kind, func(b *testing.B) {
			p := newPipeline(Options{DedupWindow: time.Second})
			p.to = Discard{}
			message := []byte(text)
			b.ReportAllocs()
			for b.Loop() {
				p.isCopy(message, sender.Addr(), 1)
			}
		})
		// Each message is a new one, and the window is full: one is forgotten for each.
		b.Run("new/"+kind, func(b *testing.B) {
			p := newPipeline(Options{DedupWindow: time.Second})
			p.to = Discard{}
			message := []byte(text)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				for digit, n := len(message)-2, i; n > 0; digit, n = digit-1, n/10 {
					message[digit] = byte('0' + n%10)
				}
				p.isCopy(message, sender.Addr(), 1)
			}
		})
	}
}
