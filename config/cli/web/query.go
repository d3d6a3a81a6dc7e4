package web

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"hbjournal/sink/journal"
)

// A query is which entries are asked for.
type query struct {
	Name  string // globs of the host's name, any of them, with blanks between
	Match string // field=glob, each of them, with blanks between
	Host  string // the host's name as it is
}

const (
	maxQuery = 2000 // bytes of a part
	maxTerms = 20
)

func queryOf(values url.Values) query {
	return query{Name: strings.TrimSpace(values.Get("name")), Match: strings.TrimSpace(values.Get("match"))}
}

// Text is the query as a part of an address.
func (q query) Text() string {
	values := url.Values{}
	for _, one := range [][2]string{{"name", q.Name}, {"match", q.Match}, {"host", q.Host}} {
		if one[1] != "" {
			values.Set(one[0], one[1])
		}
	}
	return values.Encode()
}

// filter compiles the query; nil takes every entry.
func (q query) filter() (*journal.Filter, error) {
	if len(q.Name) > maxQuery || len(q.Match) > maxQuery || len(q.Host) > maxQuery {
		return nil, fmt.Errorf("the filter is longer than %d bytes", maxQuery)
	}
	fields, err := matches(strings.Fields(q.Match))
	if err != nil {
		return nil, err
	}
	if names := strings.Fields(q.Name); len(names) > 0 {
		fields = append(fields, journal.Field{Path: "name", Patterns: names})
	}
	if q.Host != "" {
		fields = append(fields, journal.Field{Path: "name", Patterns: []string{exactly(q.Host)}})
	}
	if len(fields) == 0 {
		return nil, nil
	}
	terms := 0
	for _, f := range fields {
		terms += len(f.Patterns)
	}
	if terms > maxTerms {
		return nil, fmt.Errorf("the filter has more than %d parts", maxTerms)
	}
	return journal.NewFilter(journal.FilterOptions{Fields: fields})
}

// matches are conditions, of which those of one field are alternatives.
func matches(texts []string) ([]journal.Field, error) {
	var fields []journal.Field
	for _, text := range texts {
		path, pattern, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not field=glob, such as plugin=cpu_*", cut(text, 100))
		}
		if err := journal.CheckCondition(path, pattern); err != nil {
			return nil, err
		}
		known := false
		for i := range fields {
			if fields[i].Path == path {
				fields[i].Patterns, known = append(fields[i].Patterns, pattern), true
			}
		}
		if !known {
			fields = append(fields, journal.Field{Path: path, Patterns: []string{pattern}})
		}
	}
	return fields, nil
}

// errNoHost is that of a page that is about no host.
var errNoHost = errors.New("give ?name= of a host")

// exactly is the glob that this name alone matches. A name that was cut stands for all that begin with it.
func exactly(name string) string {
	const ellipsis = "…"
	begin, wasCut := strings.CutSuffix(name, ellipsis)
	if wasCut && len(name) > 100 {
		name = begin
	}
	var b strings.Builder
	for _, r := range name {
		if strings.ContainsRune(`*?[\`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	if wasCut && len(name) > 100 {
		b.WriteByte('*')
	}
	return b.String()
}
