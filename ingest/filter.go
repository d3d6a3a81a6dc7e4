package ingest

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"hbjournal/sink/journal"
)

// Rule is one rule of a filter, compiled by ParseRule.
type Rule struct {
	text   string       // as it was written
	field  string       // a dotted path; "": the rule is about the sender
	named  bool         // the field is one in which null is no value
	glob   journal.Glob // of the field's value
	source netip.Prefix // of the sender
}

// sourceField is the name of a rule about the sender.
const sourceField = "source_ip"

// ParseRule reads a rule: field=glob, where field is a dotted path into the message, or source_ip= with an address or a
// network. The error says what is wrong and gives an example.
func ParseRule(text string) (Rule, error) {
	field, pattern, ok := strings.Cut(text, "=")
	if !ok {
		return Rule{}, fmt.Errorf("rule %q has no =: write field=glob, such as ID=HTB or plugin=cpu_*", text)
	}
	field = strings.TrimSpace(field)
	r := Rule{text: text, field: field, named: journal.IsName(field)}
	var err error
	if field == sourceField {
		r.field = ""
		if r.source, err = ParseNetwork(strings.TrimSpace(pattern)); err != nil {
			return Rule{}, fmt.Errorf("rule %q: %w", text, err)
		}
		return r, nil
	}
	if err := journal.CheckCondition(field, pattern); err != nil {
		return Rule{}, fmt.Errorf("rule %q: %w; filter_exclude leaves out what matches, filter_include all else", text, err)
	}
	if r.glob, err = journal.CompileGlob(pattern); err != nil {
		return Rule{}, fmt.Errorf("rule %q: %w", text, err)
	}
	return r, nil
}

// ParseRules reads rules. The error is about all that are wrong.
func ParseRules(texts []string) ([]Rule, error) {
	rules := make([]Rule, len(texts))
	errs := make([]error, len(texts))
	for i, text := range texts {
		rules[i], errs[i] = ParseRule(text)
	}
	return rules, errors.Join(errs...)
}

// filter chooses the messages that are journaled. It is for one goroutine.
type filter struct {
	include, exclude []Rule
	lookup           *journal.Lookup // of the fields of all rules, those of include first
	values           [][]byte        // scratch of lookup

	excluded    []uint64 // messages, by the rule of exclude
	notIncluded uint64   // messages that no rule of include wanted
}

// newFilter returns nil if there are no rules.
func newFilter(include, exclude []Rule) *filter {
	if len(include)+len(exclude) == 0 {
		return nil
	}
	var fields []string
	for _, rules := range [][]Rule{include, exclude} {
		for _, r := range rules {
			fields = append(fields, r.field)
		}
	}
	return &filter{
		include: include, exclude: exclude,
		lookup: journal.NewLookup(fields...), values: make([][]byte, len(fields)),
		excluded: make([]uint64, len(exclude)),
	}
}

// drops reports whether the message is not to be journaled, and counts why: because a rule of exclude matches, or
// because there are rules of include and none does.
func (f *filter) drops(message []byte, from netip.Addr) bool {
	f.lookup.Values(message, f.values)
	if i := firstMatch(f.exclude, f.values[len(f.include):], from); i >= 0 {
		f.excluded[i]++
		return true
	}
	if len(f.include) > 0 && firstMatch(f.include, f.values, from) < 0 {
		f.notIncluded++
		return true
	}
	return false
}

// firstMatch returns the index of the first rule that matches; -1: none does.
func firstMatch(rules []Rule, values [][]byte, from netip.Addr) int {
	for i := range rules {
		if rules[i].matches(values[i], from) {
			return i
		}
	}
	return -1
}

// matches reports whether the rule is about a message in which its field has this value; nil: it has none.
func (r *Rule) matches(value []byte, from netip.Addr) bool {
	switch {
	case r.field == "":
		return r.source.Contains(from.WithZone(""))
	case r.named && string(value) == "null":
		return false
	}
	return value != nil && r.glob.Match(value)
}

// notIncluded is what the figures call messages that no rule of filter_include wanted.
const notIncluded = "not included"

// counts are the messages that were dropped, by the text of the rule.
func (f *filter) counts() map[string]uint64 {
	counts := make(map[string]uint64)
	if f == nil {
		return counts
	}
	for i, r := range f.exclude {
		counts[r.text] += f.excluded[i]
	}
	if len(f.include) > 0 {
		counts[notIncluded] = f.notIncluded
	}
	return counts
}
