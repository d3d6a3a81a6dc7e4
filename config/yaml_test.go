package config

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestExampleFileLoadsBackAsTheDefaults(t *testing.T) {
	var b bytes.Buffer
	if err := WriteExample(&b); err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, b.String())
	l, err := Load(Sources{File: path, Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(l.Config, Default()) {
		t.Errorf("got %+v, want %+v", l.Config, Default())
	}
	for _, k := range Keys() {
		for _, want := range []string{"\n" + k.Name + ": ", k.Var, "--" + k.Flag, k.Example, k.Help[1:]} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: got an example file without %q", k.Name, want)
			}
		}
	}
}

func TestEveryExampleIsValidAndNotTheDefaultInDisguise(t *testing.T) {
	flags := map[string]string{}
	for _, k := range Keys() {
		flags[k.Flag] = k.Example
	}
	l, err := Load(Sources{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range Keys() {
		if reflect.DeepEqual(k.Value(l.Config), k.Value(Default())) {
			t.Errorf("%s: got the example %q, which is the default", k.Name, k.Example)
		}
	}
}

func TestYAMLOfAnyValueReadsBack(t *testing.T) {
	cfg := Default()
	cfg.JournalDir = "a: b # 'c' \"d\""
	cfg.JournalFile = "0640"
	cfg.ListenAddr = []string{":1", "[::1]:2"}
	cfg.LogFile = "true"
	cfg.JournalFsync = FsyncNever
	var lines []string
	for _, k := range Keys() {
		line, err := k.YAML(cfg)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	l, err := Load(Sources{File: writeFile(t, strings.Join(lines, "\n")), Strict: true})
	if err != nil || !reflect.DeepEqual(l.Config, cfg) {
		t.Errorf("got %+v, %v, want %+v from\n%s", l.Config, err, cfg, strings.Join(lines, "\n"))
	}
}
