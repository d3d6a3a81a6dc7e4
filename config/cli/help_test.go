package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// eachCommand calls test with every command that people see.
func eachCommand(t *testing.T, test func(t *testing.T, cmd *cobra.Command)) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		t.Run(cmd.CommandPath(), func(t *testing.T) { test(t, cmd) })
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				visit(sub)
			}
		}
	}
	visit(newRoot(system()))
}

func TestHelpFitsEightyColumns(t *testing.T) {
	eachCommand(t, func(t *testing.T, cmd *cobra.Command) {
		if cmd.Parent() != nil && cmd.Parent().Name() == "completion" {
			t.Skip("cobra's own text")
		}
		for line := range strings.Lines(helpOf(cmd)) {
			if got := utf8.RuneCountInString(strings.TrimRight(line, "\n")); got > helpWidth {
				t.Errorf("got a line of %d columns, want %d at most: %s", got, helpWidth, line)
			}
		}
	})
}

func TestEveryCommandIsInAGroupOfTheHelp(t *testing.T) {
	help := helpOf(newRoot(system()))
	if strings.Contains(help, "\nOthers:\n") {
		t.Errorf("got commands outside of the groups, want each in one:\n%s", help)
	}
	for _, group := range []string{"Receiving", "Reading the journal", "Passing it on", "Setting up", "Flags", "Settings"} {
		if !strings.Contains(help, "\n"+group+":\n") {
			t.Errorf("got help without the group %q:\n%s", group, help)
		}
	}
}

func TestHelpNamesEveryFlagOnce(t *testing.T) {
	eachCommand(t, func(t *testing.T, cmd *cobra.Command) {
		help := helpOf(cmd)
		for line := range strings.Lines(cmd.LocalFlags().FlagUsages()) {
			name, _, _ := strings.Cut(strings.TrimSpace(strings.TrimLeft(line, " ")), "   ")
			if n := strings.Count(help, "\n  "+strings.TrimRight(line[2:len(line)-len(strings.TrimLeft(line, " "))+len(name)], " ")); n != 1 {
				t.Errorf("got flag %q %d times in the help, want it once:\n%s", name, n, help)
			}
		}
	})
}

func TestTextIsBrokenBetweenWordsOnly(t *testing.T) {
	f := func(text string, width int, want string) {
		t.Helper()
		if got := reflow(text, width); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f("one two three", 7, "one two\nthree")
	f("one\ntwo\n\nthree", 80, "one two\n\nthree")
	f("a:\n  kept as   it is\nb c", 80, "a:\n  kept as   it is\nb c")
	f("averylongword", 5, "averylongword")
	f("äö üß", 5, "äö üß")
}
