package output

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var backticked = regexp.MustCompile("`([^`]+)`")

// table returns the cells of the rows of the table that begins with head.
func table(t testing.TB, text, head string) (rows [][]string) {
	t.Helper()
	_, rest, ok := strings.Cut(text, head)
	if !ok {
		t.Fatalf("README.md has no table %q", head)
	}
	for _, line := range strings.Split(rest, "\n")[2:] {
		if !strings.HasPrefix(line, "|") {
			return rows
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

func names(cell string) (all []string) {
	for _, match := range backticked.FindAllStringSubmatch(cell, -1) {
		all = append(all, match[1])
	}
	return all
}

func TestReadmeNamesAllSchemesAndTheirOptions(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	options := table(t, string(text), "| option | of |")
	over := make(map[string][]string)
	for _, row := range table(t, string(text), "| scheme | port |") {
		for _, name := range names(row[0]) {
			over[name] = row[1:3]
		}
	}
	for _, s := range schemes() {
		for _, name := range s.names {
			told, ok := over[name]
			if !ok {
				t.Errorf("README.md does not name %s", name)
				continue
			}
			if s.port != "" && told[0] != s.port {
				t.Errorf("%s: README.md gives the port %s, want %s", name, told[0], s.port)
			}
			delete(over, name)
			checkOptions(t, s, name, options, told[1])
		}
	}
	for name := range over {
		t.Errorf("README.md names %s, which there is not", name)
	}
}

// checkOptions compares the options that a scheme asks for with the rows about it.
func checkOptions(t *testing.T, s scheme, name string, rows [][]string, over string) {
	t.Helper()
	base, _, _ := strings.Cut(name, "+")
	var told []string
	for _, row := range rows {
		of := strings.Fields(row[1])
		if slices.Contains(of, "all") || slices.Contains(of, name) || slices.Contains(of, base) || over != "" && slices.Contains(of, over) {
			told = append(told, names(row[0])...)
		}
	}
	o := &options{values: url.Values{}}
	target := &Target{Scheme: name, Hosts: []string{"h"}, Path: "/"}
	target.ask(s, o)
	slices.Sort(told)
	slices.Sort(o.known)
	if got, want := slices.Compact(told), slices.Compact(o.known); !slices.Equal(got, want) {
		t.Errorf("%s: README.md has the options\n%s, want\n%s", name, got, want)
	}
}
