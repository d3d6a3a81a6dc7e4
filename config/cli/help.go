package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is how many columns the help takes, on every terminal and in every pipe.
const helpWidth = 80

// commandGroups are the commands by what they are for, in the order of the help. One that is in none comes last.
var commandGroups = []struct {
	title string
	names []string
}{
	{"Receiving", []string{"serve", "health", "doctor"}},
	{"Reading the journal", []string{"query", "tail", "report", "hosts", "silent", "web", "verify"}},
	{"Passing it on", []string{"replay", "send", "forward", "archive", "seal", "prove"}},
	{"Setting up", []string{"config", "completion", "man", "version", "help"}},
}

// flagGroup is the annotation of a flag that names its group in the help; without one it is of the command itself.
const flagGroup = "hbjournal_group"

// The groups of flags that several commands have.
const (
	choosing = "Choosing entries"
	settled  = "Settings"
)

// inGroup puts the flags that add adds to a group.
func inGroup(flags *pflag.FlagSet, title string, add func()) {
	before := map[string]bool{}
	flags.VisitAll(func(f *pflag.Flag) { before[f.Name] = true })
	add()
	flags.VisitAll(func(f *pflag.Flag) {
		if !before[f.Name] {
			// It fails only for a flag that does not exist.
			_ = flags.SetAnnotation(f.Name, flagGroup, []string{title})
		}
	})
}

// addHelp makes root and all below it print their help in groups.
func addHelp(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		_, _ = io.WriteString(cmd.OutOrStdout(), helpOf(cmd))
	})
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := io.WriteString(cmd.OutOrStderr(), usageOf(cmd))
		return err
	})
}

func helpOf(cmd *cobra.Command) string {
	long := cmd.Long
	if long == "" {
		long = cmd.Short
	}
	return reflow(long, helpWidth) + "\n\n" + usageOf(cmd)
}

func usageOf(cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	var b strings.Builder
	b.WriteString("Usage:\n")
	if cmd.Runnable() {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s [command]\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	writeCommands(&b, cmd)
	writeFlags(&b, cmd.LocalFlags())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n'%s COMMAND --help' says more about a command.\n", cmd.CommandPath())
	}
	return b.String()
}

// writeCommands lists the commands below cmd by group.
func writeCommands(b *strings.Builder, cmd *cobra.Command) {
	left := slices.DeleteFunc(slices.Clone(cmd.Commands()), func(c *cobra.Command) bool {
		return !c.IsAvailableCommand() && c.Name() != "help"
	})
	write := func(title string, commands []*cobra.Command) {
		if len(commands) == 0 {
			return
		}
		fmt.Fprintf(b, "\n%s:\n", title)
		for _, c := range commands {
			fmt.Fprintf(b, "  %-11s %s\n", c.Name(), indented(reflow(c.Short, helpWidth-14), 14))
		}
	}
	for _, group := range commandGroups {
		var commands []*cobra.Command
		for _, name := range group.names {
			if i := slices.IndexFunc(left, func(c *cobra.Command) bool { return c.Name() == name }); i >= 0 {
				commands = append(commands, left[i])
				left = slices.Delete(left, i, i+1)
			}
		}
		write(group.title, commands)
	}
	write("Others", left)
}

// writeFlags lists flags by group: those of the command itself first, and the settings last.
func writeFlags(b *strings.Builder, flags *pflag.FlagSet) {
	groups := map[string]*pflag.FlagSet{}
	flags.VisitAll(func(f *pflag.Flag) {
		title := "Flags"
		if named := f.Annotations[flagGroup]; len(named) > 0 {
			title = named[0]
		}
		if groups[title] == nil {
			groups[title] = pflag.NewFlagSet(title, pflag.ContinueOnError)
			groups[title].SortFlags = false
		}
		groups[title].AddFlag(f)
	})
	for _, title := range []string{choosing, "Flags", settled} {
		if group := groups[title]; group != nil {
			fmt.Fprintf(b, "\n%s:\n%s", title, flagLines(group))
		}
	}
}

// flagLines describes each flag: beside its name where all the names leave room for it, and below it where they do not.
func flagLines(flags *pflag.FlagSet) string {
	const least = 40 // columns that a description needs beside the names
	lines := flags.FlagUsagesWrapped(0)
	beside := 0
	for line := range strings.Lines(lines) {
		beside = max(beside, helpColumn(line))
	}
	if helpWidth-beside >= least {
		return columns(lines, beside)
	}
	return columns(lines, 10)
}

// helpColumn is where the description begins in a line of pflag: behind the last of three blanks after the name.
func helpColumn(line string) int {
	name := strings.TrimLeft(line, " ")
	gap := strings.Index(name, "   ")
	if gap < 0 {
		return 0
	}
	behind := strings.TrimLeft(name[gap:], " ")
	return len(line) - len(behind)
}

// columns sets the descriptions of flags at a column, those of names that are longer in a line of their own.
func columns(lines string, at int) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		line = strings.TrimRight(line, "\n")
		column := helpColumn(line)
		if column == 0 {
			b.WriteString(line + "\n")
			continue
		}
		name, text := strings.TrimRight(line[:column], " "), indented(reflow(line[column:], helpWidth-at), at)
		if len(name)+2 > at {
			fmt.Fprintf(&b, "%s\n%s%s\n", name, strings.Repeat(" ", at), text)
		} else {
			fmt.Fprintf(&b, "%-*s%s\n", at, name, text)
		}
	}
	return b.String()
}

func indented(text string, by int) string {
	return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", by))
}

// reflow breaks the lines of a text anew. Paragraphs stay apart, and so do lines that are indented.
func reflow(text string, width int) string {
	var lines []string
	open := false // the last line may be gone on with
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if line == "" || line[0] == ' ' || line[0] == '\t' {
			lines, open = append(lines, line), false
			continue
		}
		for word := range strings.FieldsSeq(line) {
			last := len(lines) - 1
			if open && utf8.RuneCountInString(lines[last])+1+utf8.RuneCountInString(word) <= width {
				lines[last] += " " + word
			} else {
				lines, open = append(lines, word), true
			}
		}
	}
	return strings.Join(lines, "\n")
}
