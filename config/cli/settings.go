package cli

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hbjournal/config"
	"hbjournal/ingest"
)

// settings are the flags of a command that reads the configuration: --config, --strict, and one for each key.
type settings struct {
	file   string
	strict bool
	given  map[string]string // flag name -> text, for the flags that were given
}

// addSettings gives cmd the flags of the settings with these names, or of every one without names. The result is filled
// once cmd has parsed its arguments.
func addSettings(cmd *cobra.Command, names ...string) *settings {
	s := &settings{given: map[string]string{}}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&s.file, "config", "", "YAML file with settings; else CONFIG_FILE, ./.hb.yaml, ~/.hb.yaml, /etc/hb.yaml, /etc/hbjournal/hb.yaml")
	flags.BoolVar(&s.strict, "strict", false, "a key of the file that is unknown is an error")
	for _, k := range config.Keys() {
		if len(names) > 0 && !slices.Contains(names, k.Name) {
			continue
		}
		f := flags.VarPF(&settingFlag{s, k}, k.Flag, "", k.Help)
		if k.IsBool() {
			f.NoOptDefVal = "true"
		}
		completeSetting(cmd, k)
	}
	return s
}

// load merges and validates the settings. Faults in them are a usage error.
func (s *settings) load(env Env) (config.Loaded, error) {
	environ := env.environ()
	loaded, err := config.Load(config.Sources{
		Flags:   s.given,
		Environ: environ,
		File:    s.file,
		Search:  config.SearchPath(environ),
		Strict:  s.strict,
		Check:   checkRules,
	})
	if err == nil {
		return loaded, nil
	}
	hint := "'hbjournal config --example' explains every setting"
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		hint = "check the path, or name no file to go without"
	}
	return loaded, &usageError{err, hint}
}

// checkRules returns what is wrong with the rules of filters.
func checkRules(cfg config.Config) map[string]error {
	_, include := ingest.ParseRules(cfg.FilterInclude)
	_, exclude := ingest.ParseRules(cfg.FilterExclude)
	return map[string]error{"filter_include": include, "filter_exclude": exclude}
}

// settingFlag keeps the text of one flag, which config.Load reads and checks together with the other sources.
type settingFlag struct {
	settings *settings
	key      config.Key
}

var _ pflag.Value = (*settingFlag)(nil)

// Set keeps the text; a list's flag that is given again adds to it.
func (f *settingFlag) Set(text string) error {
	if before, again := f.settings.given[f.key.Flag]; again && f.key.IsList() {
		text = before + "," + text
	}
	f.settings.given[f.key.Flag] = text
	return nil
}

// String returns what was given, or else the default, which the help shows.
func (f *settingFlag) String() string {
	if f.settings == nil {
		return ""
	}
	if text, ok := f.settings.given[f.key.Flag]; ok {
		return text
	}
	return f.key.Text(config.Default())
}

// Type is the word for the value in the help.
func (f *settingFlag) Type() string { return f.key.Kind() }
