package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Sources are what Load merges, from the strongest to the weakest; the defaults come last.
type Sources struct {
	Flags   map[string]string // flag name without dashes -> text, for the flags that were given
	Environ map[string]string // the environment; an empty variable counts as unset

	// File is the YAML file that --config names. If it is "", the variable CONFIG_FILE names one, and if that is empty
	// too, the first of Search that exists is read. A named file must exist.
	File   string
	Search []string

	// Strict makes a key of the file that we do not know a fault instead of a warning.
	Strict bool

	// Check returns what is wrong with the values of settings that other packages read, by key. nil: nothing is.
	Check func(Config) map[string]error
}

// SearchPath returns the files that are read when none is named: ./.hb.yaml, ~/.hb.yaml, /etc/hb.yaml, and the one that
// packages install, /etc/hbjournal/hb.yaml.
func SearchPath(environ map[string]string) []string {
	path := []string{".hb.yaml"}
	if home := environ["HOME"]; home != "" {
		path = append(path, filepath.Join(home, ".hb.yaml"))
	}
	return append(path, "/etc/hb.yaml", "/etc/hbjournal/hb.yaml")
}

// Loaded is the outcome of Load.
type Loaded struct {
	Config   Config
	Origins  map[string]Origin // by key name, for every key
	File     string            // the YAML file that was read, or ""
	Warnings []string          // what is odd but does no harm, such as an unknown key
}

// Load merges the sources and validates the result. What is wrong with the settings comes back as Faults, all at once,
// with the rest of Loaded filled as far as it goes; a file that cannot be read is an error of another type.
func Load(src Sources) (Loaded, error) {
	l := loader{src: src, Loaded: Loaded{Config: Default(), Origins: map[string]Origin{}}}
	for _, k := range Keys() {
		l.Origins[k.Name] = Origin{Kind: FromDefault}
	}
	if err := l.loadFile(); err != nil {
		return l.Loaded, err
	}
	l.loadEnviron()
	l.loadFlags()
	l.faults = append(l.faults, l.validate()...)
	l.checkOthers()
	if len(l.faults) > 0 {
		return l.Loaded, l.faults.sorted()
	}
	return l.Loaded, nil
}

// loader gathers what Load returns.
type loader struct {
	Loaded
	src    Sources
	faults Faults
}

// checkOthers has the caller check what this package cannot.
func (l *loader) checkOthers() {
	if l.src.Check == nil {
		return
	}
	for name, err := range l.src.Check(l.Config) {
		k, _ := keyNamed(name)
		if err != nil {
			problem := strings.ReplaceAll(err.Error(), "\n", "; ")
			l.faults = append(l.faults, k.fault(given{k.Text(l.Config), l.Origins[name]}, problem))
		}
	}
}

func (l *loader) loadEnviron() {
	texts := map[string]given{}
	for _, k := range Keys() {
		if v := l.src.Environ[k.Var]; v != "" {
			texts[k.Name] = given{v, Origin{Kind: FromEnv, Name: k.Var}}
		}
	}
	l.apply(texts)
}

func (l *loader) loadFlags() {
	texts := map[string]given{}
	for _, k := range Keys() {
		if v, ok := l.src.Flags[k.Flag]; ok {
			texts[k.Name] = given{v, Origin{Kind: FromFlag, Name: "--" + k.Flag}}
		}
	}
	l.apply(texts)
}

// given is the text of one value in one source.
type given struct {
	text   string
	origin Origin
}

// apply sets the values of one source, by key name, over what is there. An empty text, which only a flag can have,
// empties a text or a list.
func (l *loader) apply(values map[string]given) {
	environ := map[string]string{} // never nil, for which env would read the environment of the process
	for name, v := range values {
		k, _ := keyNamed(name)
		if v.text == "" {
			l.empty(k, v)
			continue
		}
		environ[k.Var] = v.text
	}
	failed := parse(&l.Config, environ)
	for name, v := range values {
		k, _ := keyNamed(name)
		if err, bad := failed[k.index]; bad {
			l.unreadable(k, v, err)
		}
		l.Origins[name] = v.origin
	}
}

func (l *loader) empty(k Key, v given) {
	if t := k.fieldType(); t.Kind() != reflect.String && !k.IsList() {
		l.unreadable(k, v, errors.New("is empty"))
		return
	}
	k.field(&l.Config).SetZero()
}

// unreadable notes a value that its type's parser refused.
func (l *loader) unreadable(k Key, v given, err error) {
	l.faults = append(l.faults, k.fault(v, fmt.Sprintf("%v; give %s", err, allowed(k.fieldType()))))
}

// parse reads the variables that environ has into cfg, and returns what could not be read by the field's index.
func parse(cfg *Config, environ map[string]string) map[int]error {
	failed := map[int]error{}
	err := env.ParseWithOptions(cfg, env.Options{Environment: environ})
	var all env.AggregateError
	if errors.As(err, &all) {
		for _, e := range all.Errors {
			var p env.ParseError
			if errors.As(e, &p) {
				f, _ := reflect.TypeFor[Config]().FieldByName(p.Name)
				failed[f.Index[0]] = plain(p.Err)
			}
		}
	}
	for _, k := range Keys() {
		if list, ok := k.field(cfg).Interface().([]string); ok {
			k.field(cfg).Set(reflect.ValueOf(tidyList(list)))
		}
	}
	return failed
}

// plain says what strconv found without naming its functions.
func plain(err error) error {
	switch {
	case errors.Is(err, strconv.ErrRange):
		return errors.New("is out of range")
	case errors.Is(err, strconv.ErrSyntax):
		return errors.New("is not understood")
	}
	return err
}

// tidyList drops the spaces around the items of a list, and empty items.
func tidyList(list []string) []string {
	var out []string // nil if there are none, as in the defaults
	for _, item := range list {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return slices.Clip(out)
}

// fileToRead returns the path of the YAML file that was named, if one was, and by what.
func (s Sources) fileToRead() (path, by string) {
	if s.File != "" {
		return s.File, "--config"
	}
	return s.Environ["CONFIG_FILE"], "CONFIG_FILE"
}
