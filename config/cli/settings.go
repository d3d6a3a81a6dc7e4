package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hbjournal/config"
	"hbjournal/ingest"
)

// settings are the flags of a command that reads the configuration: --config, --strict, and one for each key.
type settings struct {
	file   string
	strict bool
	names  []string          // of the settings that the command has flags for; nil: all
	given  map[string]string // flag name -> text, for the flags that were given
}

// addSettings gives cmd the flags of the settings with these names, or of every one without names. The result is filled
// once cmd has parsed its arguments.
func addSettings(cmd *cobra.Command, names ...string) *settings {
	s := &settings{names: names, given: map[string]string{}}
	flags := cmd.Flags()
	flags.SortFlags = false
	inGroup(flags, settled, func() { s.addFlags(cmd, names) })
	return s
}

func (s *settings) addFlags(cmd *cobra.Command, names []string) {
	flags := cmd.Flags()
	flags.Var(&oneText{&s.file}, "config", "YAML file with settings; else CONFIG_FILE, ./.hb.yaml, ~/.hb.yaml, /etc/hb.yaml, /etc/hbjournal/hb.yaml")
	if flags.Lookup("strict") == nil { // A command may have one of its own, in which this is contained.
		flags.BoolVar(&s.strict, "strict", false, "a key of the file or a variable that is unknown is an error")
	}
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
}

// load merges and validates the settings. Faults in them are a usage error.
func (s *settings) load(env Env) (config.Loaded, error) { return s.loadNeeded(env, nil) }

// loadReading loads the settings of a command that reads a journal, or the files that are named, or asks the daemon. What
// is wrong with those that it has no use for is a warning, which it prints.
func (s *settings) loadReading(env Env, files []string) (config.Loaded, error) {
	needed := slices.Clone(s.names)
	if len(files) > 0 {
		needed = slices.DeleteFunc(needed, func(name string) bool {
			return name == "journal_dir" || name == "journal_file" && !slices.ContainsFunc(files, isDir)
		})
	}
	loaded, err := s.loadNeeded(env, needed)
	printWarnings(env, loaded)
	return loaded, err
}

func (s *settings) loadNeeded(env Env, needed []string) (config.Loaded, error) {
	environ := env.environ()
	loaded, err := config.Load(config.Sources{
		Flags:   s.given,
		Environ: environ,
		File:    s.file,
		Search:  config.SearchPath(environ),
		Strict:  s.strict,
		Needs:   needed,
		Check:   checkTexts,
	})
	if err == nil {
		if needed == nil {
			loaded.Warnings = append(loaded.Warnings, doubtRecipients(loaded.Config)...)
		}
		return loaded, nil
	}
	hint := "'hbjournal config --example' explains every setting"
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		hint = "check the path, or name no file to go without"
	}
	return loaded, &usageError{err, hint}
}

func printWarnings(env Env, loaded config.Loaded) {
	for _, warning := range loaded.Warnings {
		fmt.Fprintf(env.Stderr, "hbjournal: warning: %s\n", visible(warning))
	}
}

// checkTexts returns what is wrong with texts that other packages read.
func checkTexts(cfg config.Config) map[string]error {
	_, include := ingest.ParseRules(cfg.FilterInclude)
	_, exclude := ingest.ParseRules(cfg.FilterExclude)
	_, allow := parseNetworks(cfg.AllowFrom)
	return map[string]error{
		"filter_include": include, "filter_exclude": exclude, "allow_from": allow,
		"log_file": checkLogFile(cfg), "listen_addr": ingest.CheckAddrs(cfg.ListenAddr), "forward_to": checkOutputs(cfg.ForwardTo),
		"journal_encrypt_to": checkRecipients(cfg), "archive_from": checkSource(cfg.ArchiveFrom),
	}
}

// parseNetworks reads the networks of allow_from. The error is about all that are none.
func parseNetworks(texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	var errs []error
	for _, text := range texts {
		network, err := ingest.ParseNetwork(text)
		networks, errs = append(networks, network), append(errs, err)
	}
	return networks, errors.Join(errs...)
}

// logFormat is the log_format that is meant, as far as that can be told when something is wrong with the settings.
func (s *settings) logFormat(env Env, cfg config.Config) string {
	return strings.ToLower(cmp.Or(s.given["log-format"], env.environ()["LOG_FORMAT"], cfg.LogFormat))
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
		text = before + f.key.Separator() + text
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
