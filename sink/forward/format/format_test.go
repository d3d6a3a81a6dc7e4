package format

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// entry is the journal's entry of a message.
func entry(t testing.TB, from, message string) *journal.Entry {
	t.Helper()
	at := time.Date(2026, 3, 28, 12, 0, 0, 7_000_000, time.UTC)
	line := journal.NewEncoder(nil).AppendLine(nil, at, netip.MustParseAddrPort(from), []byte(message))
	e, err := journal.ParseLine(line[:len(line)-1])
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

func form(t testing.TB, name string, opt Options) Form {
	t.Helper()
	f, err := New(name, opt)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFormsOfAnEntry(t *testing.T) {
	const beat = `{"ID":"HTB","name":"web1","interval":30}`
	f := func(name, from, message, id, want string) {
		t.Helper()
		if got := string(form(t, name, Options{}).Append(nil, entry(t, from, message), id)); got != want {
			t.Errorf("%s of %s:\ngot  %s\nwant %s", name, message, got, want)
		}
	}
	f("syslog", "10.0.0.1:50003", beat, "",
		`<134>1 2026-03-28T12:00:00.007Z web1 hbjournal - HTB [hbj@32473 ip="10.0.0.1" port="50003"] `+beat)
	f("syslog", "[fe80::1%2]:9", `{"n":1}`, "ABC",
		`<134>1 2026-03-28T12:00:00.007Z fe80::1 hbjournal - - [hbj@32473 ip="fe80::1%2" port="9" id="ABC"] {"n":1}`)
	f("syslog", "127.0.0.1:0", `{"ID":"JRN","event":"gap","lost":3}`, "",
		`<132>1 2026-03-28T12:00:00.007Z 127.0.0.1 hbjournal - JRN [hbj@32473 ip="127.0.0.1" port="0"] {"ID":"JRN","event":"gap","lost":3}`)
	f("cef", "10.0.0.1:50003", beat, "",
		`CEF:0|hbjournal|hbjournal|1|HTB|HTB web1|1|rt=1774699200007 src=10.0.0.1 spt=50003 shost=web1 msg=`+beat)
	f("cef", "[2001:db8::1]:9", `{"ID":"PLG","plugin":"a=b|c"}`, "X",
		`CEF:0|hbjournal|hbjournal|1|PLG|PLG a=b\|c|1|rt=1774699200007 c6a2Label=Source IPv6 Address c6a2=2001:db8::1 spt=9`+
			` shost=2001:db8::1 cs1Label=plugin cs1=a\=b|c externalId=X msg={"ID":"PLG","plugin":"a\=b|c"}`)
	f("gelf", "10.0.0.1:50003", `{"ID":"PLG","plugin":"mem","name":"web1","ok":true,"no":null,"mem":{"used":1.0},"a":["x"],"id":7}`, "X",
		`{"version":"1.1","host":"web1","short_message":"PLG mem web1",`+
			`"full_message":"{\"ID\":\"PLG\",\"plugin\":\"mem\",\"name\":\"web1\",\"ok\":true,\"no\":null,\"mem\":{\"used\":1.0},\"a\":[\"x\"],\"id\":7}",`+
			`"timestamp":1774699200.007,"level":6,"_source_ip":"10.0.0.1","_source_port":50003,"_hbj_id":"X",`+
			`"_ID":"PLG","_plugin":"mem","_name":"web1","_ok":"true","_mem.used":1.0,"_a.0":"x","__id":7}`)
	f("ecs", "10.0.0.1:50003", `{"ID":"HTB","name":"web1","boot":true,"load":{"1":0.5}}`, "",
		`{"@timestamp":"2026-03-28T12:00:00.007Z","log.level":"info","message":"{\"ID\":\"HTB\",\"name\":\"web1\",\"boot\":true,\"load\":{\"1\":0.5}}",`+
			`"ecs.version":"8.17.0","event.dataset":"hbjournal","host.name":"web1","source.ip":"10.0.0.1","source.port":50003,"event.code":"HTB",`+
			`"hbjournal.ID":"HTB","hbjournal.name":"web1","hbjournal.boot":true,"hbjournal.load.1":0.5}`)
}

// hostile are messages that try to be taken for something else.
var hostile = []string{
	`{}`,
	`{"ID":"a|b=c\\d\ne","name":"x|y=z\\\r\n] \"q\"","plugin":"\u0000\t\u001b[31m\u007f"}`,
	`{"name":"web 1","ID":"H T B"}`,
	`{"name":"` + strings.Repeat("n", 300) + `","ID":"` + strings.Repeat("I", 300) + `"}`,
	`{"name":"über","ID":"日本語"}`,
	`{"name":null,"ID":true,"plugin":{"a":1}}`,
	`{"name":17,"ID":-0.5}`,
	`{"a":1,"a":2,"a b":3,"a_b":4,"a.b":5,"":6,"id":7,"_id":8,"source_ip":"x","hbj_id":"y"}`,
	`{"big":1e999,"small":1e-999,"long":12345678901234567890}`,
	`{"@timestamp":"1999","message":"x","host.name":"evil","version":"9","host":"h","short_message":""}`,
	`{"deep":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat("}", 100) + `}`,
	`{"list":[` + strings.Repeat("1,", 1000) + `1]}`,
}

// header is the grammar of RFC 5424, section 6, for a message with one element of structured data.
var header = regexp.MustCompile(`^<([1-9]?\d|1\d\d)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ([!-~]{1,255}) ([!-~]{1,48}) - ([!-~]{1,32}) ` +
	`\[hbj@32473( [a-z]+="(?:[^"\\\]]|\\["\\\]])*")+\] `)

func TestSyslogKeepsTheGrammarWhateverTheMessage(t *testing.T) {
	for _, message := range hostile {
		e := entry(t, "[fe80::1%7]:9", message)
		got := form(t, "syslog", Options{}).Append(nil, e, `"]\`)
		head := header.Find(got)
		if head == nil {
			t.Errorf("%s: no syslog message: %s", message, got)
			continue
		}
		if string(got[len(head):]) != message {
			t.Errorf("MSG: got %s, want %s", got[len(head):], message)
		}
	}
}

func TestSyslogCanBeginWithAByteOrderMark(t *testing.T) {
	got := string(form(t, "syslog", Options{BOM: true, Facility: 1, App: "x", SDID: "y@1"}).Append(nil, entry(t, "10.0.0.1:1", `{}`), ""))
	if want := `<14>1 2026-03-28T12:00:00.007Z 10.0.0.1 x - - [y@1 ip="10.0.0.1" port="1"] ` + "\ufeff{}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOptionsThatNoStandardAllows(t *testing.T) {
	f := func(name string, opt Options, want string) {
		t.Helper()
		if _, err := New(name, opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %+v: got %v, want %q in it", name, opt, err, want)
		}
	}
	f("leef", Options{}, "no form \"leef\"; there are cef, ecs, gelf, syslog")
	f("syslog", Options{App: "a b"}, "app")
	f("syslog", Options{App: strings.Repeat("a", 49)}, "app")
	f("syslog", Options{SDID: `x]y@1`}, "sd_id")
	f("syslog", Options{Facility: 24}, "facility")
	if _, err := ParseFacility("kern"); err == nil {
		t.Error("kern was taken")
	}
	if got, err := ParseFacility("local7"); got != 23 || err != nil {
		t.Errorf("local7: got %v, %v", got, err)
	}
}

func TestJSONFormsAreValidWithoutAKeyTwice(t *testing.T) {
	for _, name := range []string{"gelf", "ecs"} {
		for _, message := range hostile {
			got := form(t, name, Options{}).Append(nil, entry(t, "10.0.0.1:9", message), "ID1")
			fields := checkObject(t, got)
			whole := "full_message"
			if name == "ecs" {
				whole = "message"
			}
			if fields[whole] != message {
				t.Errorf("%s of %s: %s is %v", name, message, whole, fields[whole])
			}
			if len(fields) > maxFields+20 {
				t.Errorf("%s: got %d fields, want at most %d of the message", name, len(fields), maxFields)
			}
			for key, value := range fields {
				if name == "gelf" {
					checkGELF(t, key, value)
				}
			}
		}
	}
}

// checkGELF checks what Graylog asks of a field.
func checkGELF(t *testing.T, key string, value any) {
	t.Helper()
	if strings.HasPrefix(key, "_") && !regexp.MustCompile(`^_[\w.\-]+$`).MatchString(key) || key == "_id" {
		t.Errorf("additional field %q", key)
	}
	switch value.(type) {
	case string, float64:
	default:
		t.Errorf("%s is a %T, want a string or a number", key, value)
	}
	if (key == "host" || key == "short_message") && value == "" {
		t.Errorf("%s is empty", key)
	}
}

// checkObject decodes an object of one level, and fails if a key stands twice.
func checkObject(t *testing.T, text []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	fields := make(map[string]any)
	if _, err := decoder.Token(); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			t.Fatalf("%s: %v in %s", key, err, text)
		}
		if _, twice := fields[key.(string)]; twice {
			t.Errorf("%s stands twice in %s", key, text)
		}
		fields[key.(string)] = value
	}
	return fields
}

func TestFieldsOfAMessage(t *testing.T) {
	var all flattener
	f := func(message, want string) {
		t.Helper()
		var got []string
		for _, field := range all.flatten([]byte(message)) {
			got = append(got, field.name+"="+string(field.appendValue(nil)))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got %s, want %s", message, s, want)
		}
	}
	f(`{}`, "")
	f(`{"a":1,"b":"x","c":true,"d":null,"e":{},"f":[]}`, `a=1 b="x" c=true`)
	f(`{"disk":[{"used":1.0},{"used":2}],"m":{"n":{"o":3}}}`, `disk.0.used=1.0 disk.1.used=2 m.n.o=3`)
	f(`{"a":1,"b":2,"a":3}`, `a=3 b=2`)
	f(`{"\u0061":1,"a":2}`, `a=2`)
	f(`{"a b":1,"a_b":2,"a/b":3}`, `a_b=1 a_b_2=2 a_b_3=3`)
	f(`{"":1,"é":2}`, `_=1 __2=2`)
	f(`{"x":1e999}`, `x="1e999"`)
	f(`{"a":{"b":1},"a.b":2,"c":[[1,[2]],{}]}`, `a.b=2 c.0.0=1 c.0.1.0=2`)

	// The same beyond the number of fields that are looked through one by one.
	many, want := "{", ""
	for i := range 3 * few {
		many += fmt.Sprintf(`"k %d":{"x":%d},"k_%d":{"x":"y"},"k %d.x":true,`, i, i, i, i)
		want += fmt.Sprintf(`k_%d.x=true k_%d.x_2="y" `, i, i)
	}
	f(many[:len(many)-1]+"}", strings.TrimSpace(want))
	f(`{"k_1":{"x":7}}`, `k_1.x=7`)
}

func TestCEFReadsBack(t *testing.T) {
	for _, message := range hostile {
		checkCEF(t, message)
	}
}

func FuzzForms(f *testing.F) {
	for _, message := range hostile {
		f.Add([]byte(message))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		message, err := journal.Compact(nil, data)
		if err != nil {
			return
		}
		if message[0] != '{' {
			return
		}
		checkCEF(t, string(message))
		for _, name := range []string{"gelf", "ecs"} {
			checkObject(t, form(t, name, Options{}).Append(nil, entry(t, "10.0.0.1:9", string(message)), "ID1"))
		}
		if line := form(t, "syslog", Options{}).Append(nil, entry(t, "10.0.0.1:9", string(message)), "ID1"); !header.Match(line) {
			t.Errorf("no syslog message: %q", line)
		}
	})
}

// checkCEF parses the form of a message strictly, and compares what comes back.
func checkCEF(t *testing.T, message string) {
	t.Helper()
	got := string(form(t, "cef", Options{}).Append(nil, entry(t, "10.0.0.1:9", message), "ID1"))
	head, fields, err := parseCEF(got)
	if err != nil {
		t.Errorf("%v in %q", err, got)
		return
	}
	if head[0] != "CEF:0" || fields["src"] != "10.0.0.1" || fields["spt"] != "9" || fields["rt"] != "1774699200007" || fields["externalId"] != "ID1" {
		t.Errorf("got %q and %q", head, fields)
	}
	if fields["msg"] != strings.ReplaceAll(message, "\x7f", " ") {
		t.Errorf("msg: got %q, want %q", fields["msg"], message)
	}
}

// parseCEF takes one event apart: seven fields of the header, and the extension.
func parseCEF(event string) (head []string, fields map[string]string, err error) {
	if strings.ContainsAny(event, "\n\r") {
		return nil, nil, fmt.Errorf("a line break")
	}
	for len(head) < 7 {
		i := 0
		for i < len(event) && event[i] != '|' {
			if event[i] == '\\' {
				i++
			}
			i++
		}
		if i >= len(event) {
			return nil, nil, fmt.Errorf("only %d fields in the header", len(head))
		}
		head = append(head, strings.NewReplacer(`\\`, `\`, `\|`, `|`).Replace(event[:i]))
		event = event[i+1:]
	}
	fields = make(map[string]string)
	keys := regexp.MustCompile(`(?:^| )([A-Za-z0-9]+)=`).FindAllStringSubmatchIndex(event, -1)
	for n, k := range keys {
		end := len(event)
		if n+1 < len(keys) {
			end = keys[n+1][0]
		}
		key := event[k[2]:k[3]]
		if _, twice := fields[key]; twice {
			return nil, nil, fmt.Errorf("%s stands twice", key)
		}
		fields[key] = strings.NewReplacer(`\\`, `\`, `\=`, `=`, `\n`, "\n", `\r`, "\r").Replace(event[k[1]:end])
	}
	return head, fields, nil
}

func TestTimesAsPackageTimeWritesThem(t *testing.T) {
	for _, millis := range []int64{0, 7, 951_782_399_999, 951_868_800_000, 1_774_699_200_007, endOfTime - 1, endOfTime, -1, 1 << 50} {
		got, want := string(AppendTime(nil, millis)), time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05.000Z07:00")
		if got != want {
			t.Errorf("%d: got %s, want %s", millis, got, want)
		}
	}
}
