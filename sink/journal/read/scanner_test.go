package read

import (
	"bytes"
	"fmt"
	"testing"

	"hbjournal/sink/journal"
)

func field(path string, patterns ...string) journal.Field {
	return journal.Field{Path: path, Patterns: patterns}
}

// scanAll gives the numbers that a filter lets through, forwards and backwards.
func scanAll(t *testing.T, filter *journal.Filter, data []byte) (forward, backward []int) {
	t.Helper()
	for _, reverse := range []bool{false, true} {
		scanner := Scanner{Filter: filter, OnFault: func(f *CorruptError) { t.Error(f) }}
		var numbers []int
		for scanner.Reset(&Block{Data: data, Reverse: reverse}); scanner.Next(); {
			numbers = append(numbers, numberOf(t, scanner.Entry()))
		}
		if !reverse {
			forward = numbers
			continue
		}
		backward = numbers
	}
	return forward, backward
}

// Every way to skip lines must give what looking at each of them does.
func TestFilterSkipsNothingThatMatches(t *testing.T) {
	messages := []string{
		`{"ID":"PLG","plugin":"cpu_monitor","cpu":9.5,"n":0}`,
		`{"ID":"PLG","plugin":"cpu_\u006donitor","n":1}`,
		`{"\u0049D":"PLG","plugin":"cpu_monitor","n":2}`,
		`{"ID":"HTB","name":"PLG","n":3}`,
		`{"ID":"HTB","ID":"PLG","plugin":"cpu_monitor","n":4}`,
		`{"ID":"PLG","ID":"HTB","plugin":"cpu_monitor","n":5}`,
		`{"disks":[{"path":"/"},{"path":"/var"}],"n":6}`,
		`{"a":{"b":{"c":true}},"a.b":"x","n":7}`,
		`{"note":"\"ID\":\"PLG\"","n":8}`,
		`{"ID":5,"cpu":"9.5","n":9}`,
		`{"plugin":{"ID":"PLG"},"n":10}`,
		`{"name":"über","n":11}`,
		`{"name":"\u00fcber","n":12}`,
		`{"ID":null,"n":13}`,
		`{"note":null,"n":14}`,
	}
	var data []byte
	for _, m := range messages {
		data = append(data, lineOf(m)...)
	}
	f := func(want string, fields ...journal.Field) {
		t.Helper()
		filter, err := journal.NewFilter(journal.FilterOptions{Fields: fields})
		if err != nil {
			t.Fatal(err)
		}
		forward, backward := scanAll(t, filter, data)
		if fmt.Sprint(forward) != want {
			t.Errorf("%v: got %v, want %s", fields, forward, want)
		}
		for i, n := range backward {
			if len(forward) != len(backward) || forward[len(forward)-1-i] != n {
				t.Fatalf("%v: got %v backwards, want %v reversed", fields, backward, forward)
			}
		}
	}
	f("[0 1 2 4]", field("ID", "PLG"))
	f("[0 1 2 4 5]", field("plugin", "cpu_monitor"))
	f("[0 1 2 4 5]", field("plugin", "cpu_*"))
	f("[0 1 2 4]", field("ID", "PLG"), field("plugin", "*monitor"))
	f("[0 1 2 3 4 5]", field("ID", "PLG", "HTB"))
	f("[0 9]", field("cpu", "9.5"))
	f("[0 9]", field("cpu", "9*"))
	f("[6]", field("disks.1.path", "/var"))
	f("[7]", field("a.b.c", "true"))
	f("[7]", field(`a\.b`, "x"))
	f("[10]", field("plugin.ID", "PLG"))
	f("[11 12]", field("name", "über"))
	f("[11 12]", field("name", "?ber"))
	f("[9]", field("ID", "[0-9]"))
	f("[]", field("ID", "null"))
	f("[14]", field("note", "null"))
	f("[]", field("ID", "XYZ"))
}

func lineOf(message string) []byte {
	return journal.NewEncoder(nil).AppendLine(nil, start, sampleFrom, []byte(message))
}

func FuzzFinderFindsEveryLineWithTheNeedle(f *testing.F) {
	f.Add([]byte("abc\nabd\nxabcx\n"), []byte("abc"))
	f.Add([]byte("aaa\naa\\a\n\naaaa"), []byte("aa"))
	f.Fuzz(func(t *testing.T, data, needle []byte) {
		if len(needle) == 0 || bytes.ContainsAny(needle, "\n\\") {
			t.Skip()
		}
		finder := newFinder(data, needle)
		pos := 0
		for _, line := range bytes.SplitAfter(data, newline) {
			if len(line) == 0 {
				continue
			}
			want := bytes.Contains(line, needle) || bytes.IndexByte(line, '\\') >= 0
			if got := finder.lineFrom(pos) == pos; got != want {
				t.Fatalf("line %q at %d: got %v, want %v", line, pos, got, want)
			}
			pos += len(line)
		}
	})
}

func TestScanAllocatesNothingForALineThatMatches(t *testing.T) {
	filter, err := journal.NewFilter(journal.FilterOptions{Fields: []journal.Field{field("ID", "HTB"), field("n", "1*")}})
	if err != nil {
		t.Fatal(err)
	}
	block := &Block{Data: entryLines(10, 20), Number: 1}
	scanner := Scanner{Filter: filter}
	got := testing.AllocsPerRun(100, func() {
		for scanner.Reset(block); scanner.Next(); {
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations for ten lines, want none", got)
	}
}
