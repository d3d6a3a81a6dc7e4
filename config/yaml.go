package config

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// YAML returns the setting in cfg as a line of a configuration file, without its newline. Whatever the value, Load reads
// it back as it is.
func (k Key) YAML(cfg Config) string {
	switch value := k.Value(cfg).(type) {
	case string:
		return k.Name + ": " + yamlText(value)
	case []string:
		items := make([]string, len(value))
		for i, item := range value {
			items[i] = yamlText(item)
		}
		return k.Name + ": [" + strings.Join(items, ", ") + "]"
	default:
		return fmt.Sprintf("%s: %v", k.Name, value)
	}
}

// plainYAML matches texts that need no quotes, since no reader of YAML takes them for anything else.
var plainYAML = regexp.MustCompile(`^([/A-Za-z][A-Za-z0-9_./=-]*|[0-9]+[A-Za-z]+)$`)

// yamlWords are texts that some reader of YAML takes for something else, in lower case.
var yamlWords = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

// yamlText is text as a scalar. Go's escapes are also those of YAML.
func yamlText(text string) string {
	if plainYAML.MatchString(text) && !slices.Contains(yamlWords, strings.ToLower(text)) {
		return text
	}
	return strconv.Quote(text)
}

// WriteExample writes a configuration file that sets every key to its default and explains it.
func WriteExample(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprint(out, exampleHead)
	for _, k := range Keys() {
		help := strings.ToUpper(k.Help[:1]) + k.Help[1:]
		fmt.Fprintf(out, "\n# %s.\n# Example: %s (%s, --%s)\n%s\n", help, k.Example, k.Var, k.Flag, k.YAML(Default()))
	}
	return out.Flush()
}

const exampleHead = `# Settings of hbjournal, each with its default. Those that are left out keep it.
# A variable in the environment wins over this file, and a flag over both; their names stand after each example.
# This file is read as ./.hb.yaml, ~/.hb.yaml, /etc/hb.yaml or /etc/hbjournal/hb.yaml, or where --config or CONFIG_FILE says.
# Sizes are bytes, or have a unit: kB MB GB count in thousands, KiB MiB GiB in 1024s. Durations: 500ms, 10s, 1h30m.
`
