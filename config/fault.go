package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with the settings, in words for the person who must mend it.
type Fault struct {
	Key     string // journal_max_size; empty if the fault is not in one setting
	Origin  Origin // where the value stands
	Value   string // as it was given
	Problem string // what is wrong or what is allowed, with an example
}

// String gives the fault in one line that names the key, the source, the value and what is allowed.
func (f Fault) String() string {
	if f.Key == "" {
		return fmt.Sprintf("%s: %s", f.Origin, f.Problem)
	}
	return fmt.Sprintf("%s=%q (%s): %s", f.Key, secret.ReplaceAllString(f.Value, "$1..."), f.Origin, f.Problem)
}

// secret matches a secret key that stands where a public one belongs: no log shall repeat it.
var secret = regexp.MustCompile(`(?i)(AGE-SECRET-KEY-)[A-Z0-9-]+`)

func (k Key) fault(v given, problem string) Fault {
	return Fault{Key: k.Name, Origin: v.origin, Value: k.shown(v), Problem: problem + ", for example " + k.Example}
}

// Faults is the error of Load for settings that are wrong: all of them at once, in the order of Keys.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// sorted puts what concerns no key first, and the rest in the order of the settings.
func (f Faults) sorted() Faults {
	order := KeyNames()
	slices.SortStableFunc(f, func(a, b Fault) int {
		return slices.Index(order, a.Key) - slices.Index(order, b.Key)
	})
	return f
}

// Source is where a value can come from.
type Source string

// The sources, from the weakest to the strongest.
const (
	FromDefault Source = "default"
	FromFile    Source = "file"
	FromEnv     Source = "env"
	FromFlag    Source = "flag"
)

// Origin says where a value comes from.
type Origin struct {
	Source Source
	Name   string // path of the file, name of the variable, or flag with its dashes
	Line   int    // in the file, from 1; 0: unknown or not in a file
}

// String prints default, /etc/hb.yaml:3, env JOURNAL_DIR or flag --journal-dir.
func (o Origin) String() string {
	switch {
	case o.Source == FromDefault || o.Source == "":
		return string(FromDefault)
	case o.Source == FromFile && o.Line > 0:
		return fmt.Sprintf("%s:%d", o.Name, o.Line)
	case o.Source == FromFile:
		return o.Name
	default:
		return string(o.Source) + " " + o.Name
	}
}

// MarshalText makes an Origin one text in JSON and YAML.
func (o Origin) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
