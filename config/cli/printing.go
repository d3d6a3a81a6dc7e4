package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// printFlags are the flags of commands that print entries, or what they come to, in one of several forms.
type printFlags struct {
	forms     []string // that output may name
	output    string
	color     string
	failEmpty bool
}

var colorModes = []string{"auto", "always", "never"}

// add gives cmd the flags: the first of forms is the default, and the ones that have colours are named.
func (f *printFlags) add(cmd *cobra.Command, forms []string, colored string) {
	f.forms = forms
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", forms[0], "`form` of the output: "+oneOf(forms))
	flags.StringVar(&f.color, "color", "auto", "`when` "+colored+" coloured: auto (on a terminal), always or never")
	flags.BoolVar(&f.failEmpty, "fail-empty", false, "exit with 1 if there is no entry")
	completeFixed(cmd, "output", forms...)
	completeFixed(cmd, "color", colorModes...)
}

// invalid reports values that the flags cannot have.
func (f *printFlags) invalid() error {
	var output, color error
	if !slices.Contains(f.forms, f.output) {
		output = fmt.Errorf("-o %q: no such output; give %s", f.output, oneOf(f.forms))
	}
	if !slices.Contains(colorModes, f.color) {
		color = fmt.Errorf("--color %q: give %s", f.color, oneOf(colorModes))
	}
	return errors.Join(output, color)
}

// colored reports whether to print in colour.
func (f *printFlags) colored(env Env) bool {
	_, terminal := terminalWidth(env.Stdout)
	return f.color == "always" || f.color == "auto" && terminal && env.environ()["NO_COLOR"] == ""
}

// oneOf lists words: "a, b or c".
func oneOf(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
