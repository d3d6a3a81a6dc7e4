package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
)

// YAML returns the setting in cfg as a line of a configuration file, without its newline.
func (k Key) YAML(cfg Config) (string, error) {
	value, err := yaml.MarshalWithOptions(k.Value(cfg), yaml.Flow(true))
	if err != nil {
		return "", fmt.Errorf("print %s: %w", k.Name, err)
	}
	return k.Name + ": " + strings.TrimSpace(string(value)), nil
}

// WriteExample writes a configuration file that sets every key to its default and explains it.
func WriteExample(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprint(out, exampleHead)
	for _, k := range Keys() {
		line, err := k.YAML(Default())
		if err != nil {
			return err
		}
		help := strings.ToUpper(k.Help[:1]) + k.Help[1:]
		fmt.Fprintf(out, "\n# %s.\n# Example: %s (%s, --%s)\n%s\n", help, k.Example, k.Var, k.Flag, line)
	}
	return out.Flush()
}

const exampleHead = `# Settings of hbjournal, each with its default. Those that are left out keep it.
# A variable in the environment wins over this file, and a flag over both; their names stand after each example.
# This file is read as ./.hb.yaml, ~/.hb.yaml, /etc/hb.yaml or /etc/hbjournal/hb.yaml, or where --config or CONFIG_FILE says.
# Sizes are bytes, or have a unit: kB MB GB count in thousands, KiB MiB GiB in 1024s. Durations: 500ms, 10s, 1h30m.
`
