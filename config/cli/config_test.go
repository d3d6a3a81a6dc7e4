package cli

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hbjournal/config"
)

// trickyTexts are values that a reader of YAML may take for something else, or that print badly.
func trickyTexts() []string {
	return []string{
		"", " ", " lead", "trail ", "\ttab", "~", "~/x", "./~", "null", "Null", "NULL", "yes", "No", "on", "off", "y", "true", "0", "0640", "0o17",
		"0x1F", "1e3", "1_000", "1:30", "12:30:45", "2026-03-28", ".inf", ".nan", "-1", "+1", "a: b", "a:", ":a", "a #b", "#a", "-", "- a",
		"? a", "*a", "&a", "!a", "!!str a", "%a", "@a", "`a`", "|", "|-", ">", "<<", "---", "...", "[a]", "{a: b}", "a, b", "a,b", ",", "it's",
		`'a'`, `"a"`, `a"b`, `a\b`, `a\`, `\n`, "a\nb", "a\n", "a\r\nb", "a\tb", "a\vb", "a\fb", "a\x00b", "a\x01b", "a\x1bb", "a\x7fb", "a\u0085b",
		"a\u2028b", "a\ufeffb", "\ufeffa", "a\u202eb", "a\u00a0b", "é", "名前", "a\U0001F600b", "a\xffb", "\xc0\xaf", "a  b", "a=b,c", "name=a: b",
		"name=*[a-z]?", "name=null", "name=\t", "100MB", "1h30m", "30d", strings.Repeat("long and ", 30) + "long",
	}
}

// wantConfigReadsBack sets one setting by its variable, has config print YAML, and has config read that. A value that is
// refused at once is none that could be printed.
func wantConfigReadsBack(t *testing.T, dir string, k config.Key, text string) {
	t.Helper()
	home, variable := "HOME="+dir, k.Var+"="+text
	given := run(t, []string{home, variable}, "config", "-o", "json")
	if given.code != exitDone {
		return
	}
	yaml := run(t, []string{home, variable}, "config", "-o", "yaml")
	path := filepath.Join(dir, "again.yaml")
	if err := os.WriteFile(path, []byte(yaml.stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	again := run(t, []string{home}, "config", "--strict", "--config", path, "-o", "json")
	if again.code != exitDone || valuesOf(t, again.stdout) != valuesOf(t, given.stdout) {
		t.Errorf("%q: got exit code %d and %s\n%s\nwant %s\nfrom %s",
			variable, again.code, again.stdout, again.stderr, given.stdout, yaml.stdout)
	}
}

// valuesOf are the values that `config -o json` printed, in the order of their names, without where they come from.
func valuesOf(t *testing.T, printed string) string {
	t.Helper()
	var all map[string]struct{ Value json.RawMessage }
	if err := json.Unmarshal([]byte(printed), &all); err != nil {
		t.Errorf("%v in %q", err, printed)
	}
	var lines []string
	for name, setting := range all {
		lines = append(lines, name+"="+string(setting.Value))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestConfigYAMLReadsBackWhateverTheValue(t *testing.T) {
	texts := trickyTexts()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // Only to mix them.
	for range 50 {                        // Pieces of them in other orders.
		a, b := []rune(texts[random.IntN(len(texts))]), []rune(texts[random.IntN(len(texts))])
		texts = append(texts, string(a[:random.IntN(len(a)+1)])+string(b[random.IntN(len(b)+1):]))
	}
	dir := t.TempDir()
	for _, k := range config.Keys() {
		if k.Name == "journal_encrypt_to" {
			continue // What it names must be there: TestEncryptedJournalFromTheSettingToTheReader.
		}
		wantConfigReadsBack(t, dir, k, k.Example)
		for _, text := range texts {
			switch k.Name {
			case "journal_dir":
				wantConfigReadsBack(t, dir, k, text)
			case "filter_include":
				wantConfigReadsBack(t, dir, k, "name="+text)
			}
		}
	}
}

// FuzzConfigYAMLReadsBack does the same with any text as the value of any setting.
func FuzzConfigYAMLReadsBack(f *testing.F) {
	keys := config.Keys()
	for i, text := range trickyTexts() {
		f.Add(text, uint(i))
	}
	f.Fuzz(func(t *testing.T, text string, key uint) {
		wantConfigReadsBack(t, t.TempDir(), keys[key%uint(len(keys))], text)
	})
}
