package config

import (
	"errors"
	"fmt"
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

	// Strict makes a key of the file that we do not know, and a variable that is one of ours but for a slip, a fault
	// instead of a warning.
	Strict bool

	// Needs are the keys that the caller will use; nil: all of them. If some are given, a fault of any other key is only a
	// warning, and so is a file that cannot be read, unless --config names it or it could say where the journal is. What is
	// merely odd is then not told.
	Needs []string

	// Check returns what is wrong with the values of settings that other packages read, by key. nil: nothing is.
	Check func(Config) map[string]error
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
		l.Origins[k.Name] = Origin{Source: FromDefault}
	}
	errFile := l.loadFile()
	if errFile != nil && l.needsFile() {
		return l.Loaded, errFile
	}
	l.loadEnviron()
	l.loadFlags()
	l.validate()
	l.checkOthers()
	l.excuse()
	if errFile != nil {
		l.Warnings = append(l.Warnings, errFile.Error())
	}
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

// needs reports whether the caller will look at this key; "" stands for what belongs to no key.
func (l *loader) needs(key string) bool {
	return l.src.Needs == nil || slices.Contains(l.src.Needs, key) || key == "" && l.src.Strict
}

// needsFile reports whether the caller must not go on without the file: since it is named, or the journal may be where
// only the file says.
func (l *loader) needsFile() bool {
	k, _ := keyNamed("journal_dir")
	_, given := l.src.Flags[k.Flag]
	return l.src.Needs == nil || l.src.File != "" || l.needs(k.Name) && !given && l.src.Environ[k.Var] == ""
}

// excuse makes warnings of faults that the caller does not mind.
func (l *loader) excuse() {
	l.faults = l.faults.sorted()
	needed := l.faults[:0]
	for _, f := range l.faults {
		if l.needs(f.Key) {
			needed = append(needed, f)
			continue
		}
		l.Warnings = append(l.Warnings, f.String())
	}
	l.faults = needed
}

// warn notes what is odd, for a caller who wants to know of all there is.
func (l *loader) warn(text string) {
	if l.src.Needs == nil {
		l.Warnings = append(l.Warnings, text)
	}
}

// doubt is a warning, or with Strict a fault: the name of something that we do not know.
func (l *loader) doubt(origin Origin, problem string) {
	f := Fault{Origin: origin, Problem: problem}
	if l.src.Strict {
		l.faults = append(l.faults, f)
		return
	}
	l.Warnings = append(l.Warnings, f.String())
}

// inEffect is the value of the key as it stands now.
func (l *loader) inEffect(k Key) given {
	return given{text: k.Text(l.Config), origin: l.Origins[k.Name]}
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
			l.faults = append(l.faults, k.fault(l.inEffect(k), problem))
		}
	}
}

func (l *loader) loadEnviron() {
	texts := map[string]given{}
	for _, k := range Keys() {
		if v := l.src.Environ[k.Var]; v != "" {
			texts[k.Name] = given{text: v, origin: Origin{Source: FromEnv, Name: k.Var}}
		}
	}
	l.apply(texts)
	l.checkVariables()
}

func (l *loader) loadFlags() {
	texts := map[string]given{}
	for _, k := range Keys() {
		if v, ok := l.src.Flags[k.Flag]; ok {
			texts[k.Name] = given{text: v, origin: Origin{Source: FromFlag, Name: "--" + k.Flag}}
		}
	}
	l.apply(texts)
}

// apply sets the values of one source, by key name, over what is there. An empty text, which a flag and the file can
// have, empties a text or a list.
func (l *loader) apply(values map[string]given) {
	environ := map[string]string{} // never nil, for which env would read the environment of the process
	for name, v := range values {
		k, _ := keyNamed(name)
		v, err := l.read(k, v)
		switch {
		case err != nil:
			l.faults = append(l.faults, k.fault(v, err.Error()))
		case k.IsList():
			k.field(&l.Config).Set(reflect.ValueOf(v.items))
		case v.text == "":
			l.empty(k, v)
		default:
			environ[k.Var] = v.text
		}
		if why := k.doubt(v); why != "" && err == nil {
			l.warn(Fault{Key: name, Origin: v.origin, Value: k.shown(v), Problem: why}.String())
		}
		l.Origins[name] = v.origin
	}
	for i, err := range parse(&l.Config, environ) {
		k := Keys()[i]
		l.unreadable(k, values[k.Name], err)
	}
}

// read returns v as it is meant, or what is wrong with its text.
func (l *loader) read(k Key, v given) (given, error) {
	v = k.tidy(v)
	if why := k.oddity(v); why != "" {
		return v, errors.New(why)
	}
	if k.paths {
		return v, itemsWithHome(v.items, l.src.Environ)
	}
	if k.path != pathDir && k.path != pathFile {
		return v, nil
	}
	path, err := withHome(v.text, l.src.Environ)
	if err != nil {
		return v, err
	}
	v.text = path
	return v, nil
}

// itemsWithHome is withHome for each of items, in its place.
func itemsWithHome(items []string, environ map[string]string) error {
	for i, item := range items {
		path, err := withHome(item, environ)
		if err != nil {
			return err
		}
		items[i] = path
	}
	return nil
}

func (l *loader) empty(k Key, v given) {
	if k.fieldType().Kind() != reflect.String {
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
