package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hbjournal/config/cli/status"
	"hbjournal/sink"
)

// formsJournal has times with and without thousandths, gaps, boots and plugin fields of every size.
const formsJournal = `{"timestamp":1774699200.007,"datetime":"2026-03-28T12:00:00","source_ip":"192.168.1.100","source_port":50003,"message":{"ID":"HTB","name":"web1","interval":0.5,"boot":1}}
{"timestamp":1774699201.000,"datetime":"2026-03-28T12:00:01","source_ip":"192.168.1.100","source_port":50003,"message":{"ID":"PLG","plugin":"p","name":"web1","small":0.000001,"large":123456789012,"half":0.5}}
{"timestamp":1774699264.000,"datetime":"2026-03-28T12:01:04","source_ip":"0.0.0.0","source_port":50003,"message":{"ID":"JRN","event":"gap","reason":"kernel","lost":123,"first":1774699262.007,"last":1774699263.500}}
`

// formOfTime is the one form of a time in JSON; the others are those it could have been given.
var (
	formOfTime   = regexp.MustCompile(`^1774699[0-9]{3}\.[0-9]{3}$`)
	otherTimes   = regexp.MustCompile(`^1774699[0-9]{3}|^"2026-03-28`)
	formOfNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)
)

func TestTimesAndNumbersHaveOneFormInAllJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "messages.journal")
	if err := os.WriteFile(file, []byte(formsJournal), 0o600); err != nil {
		t.Fatal(err)
	}
	stats, err := json.Marshal(status.Snapshot{Stats: sink.Stats{LastWrite: 1774699200000}})
	if err != nil {
		t.Fatal(err)
	}
	outputs := map[string]string{"/stats": string(stats)}
	for _, call := range []string{"query", "verify -o json", "report -o json", "report -o json --until 2026-03-28T13:00:00Z"} {
		var out, errs bytes.Buffer
		env := Env{Stdout: &out, Stderr: &errs, Environ: []string{"HOME=" + t.TempDir()}}
		if code := Run(context.Background(), append(strings.Fields(call), file), env); code != exitDone {
			t.Fatalf("%s: got exit code %d: %s", call, code, errs.String())
		}
		outputs[call] = out.String()
	}
	for call, output := range outputs {
		times := 0
		for key, value := range leaves(t, output) {
			switch {
			case strings.HasSuffix(key, ".datetime"):
			case otherTimes.MatchString(value):
				times++
				if !formOfTime.MatchString(value) {
					t.Errorf("%s: got %s: %s, want Unix seconds with three decimals", call, key, value)
				}
			case value[0] != '"' && value != "true" && value != "false" && !formOfNumber.MatchString(value):
				t.Errorf("%s: got %s: %s, want a decimal number", call, key, value)
			}
		}
		if times == 0 {
			t.Errorf("%s: got no time at all:\n%s", call, output)
		}
	}
}

// leaves returns every value of the JSON texts in output that is no object or array, as it stands there.
func leaves(t *testing.T, output string) map[string]string {
	t.Helper()
	out := map[string]string{}
	var walk func(key string, raw json.RawMessage)
	walk = func(key string, raw json.RawMessage) {
		var members map[string]json.RawMessage
		var elements []json.RawMessage
		switch {
		case json.Unmarshal(raw, &members) == nil:
			for name, member := range members {
				walk(key+"."+name, member)
			}
		case json.Unmarshal(raw, &elements) == nil:
			for i, element := range elements {
				walk(fmt.Sprintf("%s.%d", key, i), element)
			}
		default:
			out[key] = string(raw)
		}
	}
	decoder := json.NewDecoder(strings.NewReader(output))
	for i := 0; ; i++ {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatalf("%v in %s", err, output)
		}
		walk(fmt.Sprint(i), raw)
	}
}
