package web

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

var (
	tags    = regexp.MustCompile(`<[/!]?([a-zA-Z0-9]*)[^>]*>?`)
	unseen  = regexp.MustCompile(`(?s) (data-key|data-query|value)="[^"]*"`) // what a row is found by, and what was asked for
	values  = regexp.MustCompile(`"[^"]*"`)
	acts    = regexp.MustCompile(`(?i)\son[a-z]+\s*=`)
	allowed = func() map[string]bool {
		names := map[string]bool{}
		for _, name := range strings.Fields(`doctype html head meta title link noscript script body a header svg rect path p main div section h1 h2 h3 ul ol li table
			thead tbody tr th td time bdi b small span form label input button details summary code pre footer nav dl dt dd g line text polyline circle polygon i em strong figure figcaption use defs clippath`) {
			names[name] = true
		}
		return names
	}()
)

// wantTame wants nothing in a page that a name has brought in: no element, no attribute that acts, no character that is not shown.
func wantTame(t *testing.T, page string) {
	t.Helper()
	if got := strings.Count(page, "<script"); got > 1 {
		t.Errorf("got %d scripts, want ours alone", got)
	}
	for _, tag := range tags.FindAllStringSubmatch(page, -1) {
		if !allowed[strings.ToLower(tag[1])] || acts.MatchString(values.ReplaceAllString(tag[0], "")) {
			t.Errorf("got the tag %.200q", tag[0])
		}
	}
	wantShown(t, unseen.ReplaceAllString(page, ""))
}

// wantShown wants no characters that act instead of being shown.
func wantShown(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Error("got a text that is no UTF-8")
	}
	for i, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			t.Fatalf("got the character %U in %q", r, text[max(0, i-60):min(len(text), i+20)])
		}
	}
}

// FuzzNamesAreShownAsNames has one host of any name, whose message has any text, in both pages, the figures and the events.
func FuzzNamesAreShownAsNames(f *testing.F) {
	for _, name := range hostileNames() {
		var text string
		if json.Unmarshal([]byte(`"`+name+`"`), &text) != nil {
			text = name
		}
		f.Add(text, "EVT", text)
	}
	f.Add("x\x00y", "\x00", strings.Repeat("\u202e<b>", 12000))
	f.Fuzz(func(t *testing.T, name, id, text string) {
		if len(name)+len(id)+len(text) > 200<<10 {
			t.Skip("no datagram is as long")
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false) // A sender escapes what it likes.
		if err := e.Encode(map[string]any{"ID": id, "name": name, "plugin": text, "interval": 30, "boot": 1, text: 1.5}); err != nil {
			t.Fatal(err)
		}
		dir, now := t.TempDir(), time.Now().Add(-time.Second)
		writeJournal(t, dir, []line{{now, "10.0.0.1", strings.TrimSpace(b.String())}, {now, "10.0.0.1", strings.TrimSpace(b.String())}})
		s, address := served(t, oneJournal(dir))
		settled(t, s)
		for _, path := range []string{"/", "/host?name=" + url.QueryEscape(cut(name, 300)), "/?name=" + url.QueryEscape(cut(name, 300)) + "&match=" + url.QueryEscape(cut(text, 300))} {
			_, _, page := get(t, address+path)
			wantTame(t, page)
		}
		figures := false
		events(t, address+"/events?from=-/0000000000000000/0", "", func(kind, _, data string) bool {
			var of any
			if err := json.Unmarshal([]byte(data), &of); err != nil {
				t.Fatalf("event %q: %v in %.200q", kind, err, data)
			}
			switch kind {
			case "lines":
				for _, it := range items(t, data) {
					wantShown(t, it.Name+it.ID+it.Text+it.Link)
				}
			case "figures":
				var u update
				if err := json.Unmarshal([]byte(data), &u); err != nil {
					t.Fatal(err)
				}
				for _, html := range u.Parts {
					wantTame(t, string(html))
				}
				for _, list := range u.Lists {
					for _, row := range list.Rows {
						wantTame(t, row[1])
					}
				}
			default:
				t.Errorf("got the event %q", kind)
			}
			figures = figures || kind == "figures"
			return !figures
		})
	})
}
