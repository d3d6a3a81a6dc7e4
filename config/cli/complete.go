package cli

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hbjournal/config"
)

// completeValues offers IDs, hosts, plugins and sources from the journal for the flags of the selection.
func (s *selection) completeValues(cmd *cobra.Command) {
	for _, q := range qualities {
		completeBy(cmd, q.flag, func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return s.offers(cmd.Context(), args, begun, q), cobra.ShellCompDirectiveNoFileComp
		})
	}
	completeFixed(cmd, "since", "today", "yesterday", "1h", "24h")
	completeFixed(cmd, "until", "today", "yesterday", "now", "1h")
	completeFixed(cmd, "within", "10s", "1m", "5m")
}

// offers are the values that begin as given, in the FILEs that stand on the line or in the journal. What goes wrong offers
// nothing.
func (s *selection) offers(ctx context.Context, args []string, begun string, q quality) []string {
	if ctx == nil {
		ctx = context.Background()
	}
	if !s.prepareQuietly(args) {
		return nil
	}
	return q.values(ctx, s.options, func(value string) bool { return strings.HasPrefix(value, begun) && isOfferable(value) })
}

// prepareQuietly is prepare while a line is being typed. It reports whether that went well.
func (s *selection) prepareQuietly(args []string) bool {
	s.environ.Stderr = io.Discard           // A warning would spoil the line.
	s.environ.Stdin = strings.NewReader("") // It is the terminal's, and an identity may be asked of it.
	return !slices.ContainsFunc(append(args, s.identities...), mayBlock) && s.prepare(args) == nil
}

// mayBlock reports whether the file is one that reading may wait for.
func mayBlock(path string) bool {
	info, err := os.Stat(path)
	return err != nil || !info.Mode().IsRegular() && !info.IsDir()
}

// isOfferable reports whether a value may be offered to a shell. Values come from the network, and shells insert them into
// the line as they stand, and evaluate it at the next completion: none may mean anything to a shell, or be taken for a
// flag.
func isOfferable(value string) bool {
	const longest = 255
	return value != "" && len(value) <= longest && value[0] != '-' && !strings.ContainsFunc(value, func(r rune) bool {
		letter := r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("_.:@%+/-", r)
	})
}

// completeFixed offers the same values always.
func completeFixed(cmd *cobra.Command, flag string, values ...string) {
	completeBy(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

func completeBy(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	// Registering fails only for a flag that does not exist, which a test would show as a flag without values.
	_ = cmd.RegisterFlagCompletionFunc(flag, complete)
}

// completeSetting offers the words that a setting takes, or directories for one.
func completeSetting(cmd *cobra.Command, k config.Key) {
	switch {
	case strings.HasSuffix(k.Name, "_dir"):
		_ = cmd.MarkFlagDirname(k.Flag)
	case len(k.Words) > 0:
		completeFixed(cmd, k.Flag, k.Words...)
	}
}

// completeNoFiles keeps the shells from offering files for flags and arguments that are none, in cmd and all below it.
func completeNoFiles(cmd *cobra.Command) {
	takesFile := []string{"config", "log-file", "journal-encrypt-to", "identity"}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, has := cmd.GetFlagCompletionFunc(f.Name); !has && f.Annotations[cobra.BashCompSubdirsInDir] == nil && !slices.Contains(takesFile, f.Name) {
			completeBy(cmd, f.Name, cobra.NoFileCompletions)
		}
	})
	if cmd.ValidArgsFunction == nil && !strings.Contains(cmd.Use, "FILE") {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range cmd.Commands() {
		completeNoFiles(sub)
	}
}

// addCompletion adds the command that prints the completion of a shell.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for shell, guard := range map[string]func(*cobra.Command, []string) error{"zsh": guardZsh, "fish": guardFish} {
		if cmd, _, err := root.Find([]string{"completion", shell}); err == nil { // Else a test shows that it is not there.
			cmd.RunE = guard
		}
	}
	bash, _, err := root.Find([]string{"completion", "bash"})
	if err != nil {
		return // A test shows that it is there.
	}
	print := bash.RunE
	bash.RunE = func(cmd *cobra.Command, args []string) error {
		if err := print(cmd, args); err != nil {
			return err
		}
		_, err := io.WriteString(cmd.OutOrStdout(), bashGuard)
		return err
	}
}
