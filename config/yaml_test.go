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

// yamlOf is a file of the settings in cfg.
func yamlOf(cfg Config) string {
	var lines []string
	for _, k := range Keys() {
		lines = append(lines, k.YAML(cfg))
	}
	return strings.Join(lines, "\n")
}

func wantReadsBack(t *testing.T, cfg Config, environ map[string]string) {
	t.Helper()
	l, err := Load(Sources{File: writeFile(t, yamlOf(cfg)), Strict: true, Environ: environ})
	if err != nil || !reflect.DeepEqual(l.Config, cfg) {
		t.Errorf("got %+v, %v, want %+v from\n%s", l.Config, err, cfg, yamlOf(cfg))
	}
}

// awkward are texts that a reader of YAML may take for something else.
func awkward() []string {
	return []string{
		"?", "-", "- x", "? x", "a: b", "a:", ": a", "a #b", "#a", "*a", "&a", "!a", "!!str a", "%a", "@a", "`a`", "|", ">", "|-", "<<", "=",
		"---", "...", "--- a", "[a]", "{a: b}", "[", "]", "a, b", ",", "null", "~", "Null", "true", "No", "off", "0640", "0o17", "0x1F",
		"1e3", "1_000", "1:30", "2026-03-28", ".inf", ".nan", "it's", `a"b`, `a\b`, `\n`, "a\tb", "a\x01b", "a\x7fb", "a\u0085b",
		"a\u2028b", "a\ufeffb", "a\U0001F600b", "é", "a\u00a0b", "a  b", strings.Repeat("long and ", 40) + "long", "a=b,c", "a==b",
	}
}

func TestYAMLOfAwkwardValuesReadsBack(t *testing.T) {
	for _, text := range awkward() {
		cfg := Default()
		cfg.FilterInclude = []string{"name=" + text, "x=" + text}
		cfg.FilterExclude = []string{text}
		for _, field := range []*string{&cfg.JournalDir, &cfg.LogFile} {
			if oddPath(text) == "" && text != "~" {
				*field = text
			}
		}
		if oddPath(text) == "" && isPlainName(text) && len(text) < 200 {
			cfg.JournalFile = text
		}
		wantReadsBack(t, cfg, nil)
	}
}

func TestNoStatusAddressReadsBack(t *testing.T) {
	cfg := Default()
	cfg.HTTPAddr = ""
	wantReadsBack(t, cfg, nil)
}

// FuzzYAMLReadsBack sets every setting that takes the text to it, and loads what is printed.
func FuzzYAMLReadsBack(f *testing.F) {
	for _, text := range awkward() {
		f.Add(text)
	}
	for _, k := range Keys() {
		f.Add(k.Example)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range Keys() {
			src := Sources{Environ: map[string]string{"HOME": "/home/hb"}, Flags: map[string]string{k.Flag: text}}
			l, err := Load(src)
			if err != nil {
				continue
			}
			again, err := Load(Sources{Environ: src.Environ, File: writeFile(t, k.YAML(l.Config)), Strict: true})
			if err != nil || !reflect.DeepEqual(again.Config, l.Config) {
				t.Errorf("%s=%q: got %q, %v from %q", k.Name, text, k.Text(again.Config), err, k.YAML(l.Config))
			}
		}
	})
}

// FuzzFile loads any file: it is read or refused, and never more than that.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		"a: &a 1\nb: *a\n", "<<: {journal_file: x}\n", "x: &x\n  <<: *x\n<<: *x\n", "%YAML 1.2\n---\na: 1\n---\n", "? a\n: b\n",
		"a: !!str\n", "journal_dir: &x\n", "- a\n", "journal_file: !!binary eA==\n", "listen_addr: [*a, [b]]\n", "&a b: *a\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Load(Sources{File: writeFile(t, string(data)), Environ: map[string]string{"HOME": "/home/hb"}})
		if err == nil {
			wantReadsBack(t, l.Config, map[string]string{"HOME": "/home/hb"})
		}
	})
}
