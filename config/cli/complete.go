package cli

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// Completion offers the values that the last entries of the journal hold, and gives up soon: somebody waits for it.
const (
	completeEntries = 5000
	completeWithin  = 500 * time.Millisecond
)

// completeValues offers IDs, hosts, plugins and sources from the journal's tail for the flags of the selection.
func (s *selection) completeValues(cmd *cobra.Command) {
	field := func(path string) func(*journal.Entry) string {
		return func(e *journal.Entry) string { return gjson.GetBytes(e.Message, path).String() }
	}
	s.complete(cmd, "id", field("ID"))
	s.complete(cmd, "name", field("name"))
	s.complete(cmd, "plugin", field("plugin"))
	s.complete(cmd, "source", func(e *journal.Entry) string { return e.Source.Addr().String() })
	completeFixed(cmd, "since", "today", "yesterday", "1h", "24h")
}

func (s *selection) complete(cmd *cobra.Command, flag string, value func(*journal.Entry) string) {
	// Registering fails only for a flag that does not exist, which a test would show as a flag without values.
	_ = cmd.RegisterFlagCompletionFunc(flag,
		func(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return s.values(cmd.Context(), begun, value), cobra.ShellCompDirectiveNoFileComp
		})
}

// values are the different values in the last entries that begin as given. What goes wrong offers nothing.
func (s *selection) values(ctx context.Context, begun string, value func(*journal.Entry) string) []string {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completeWithin)
	defer cancel()
	if err := s.prepare(nil); err != nil {
		return nil
	}
	entries, _, err := read.Tail(ctx, s.options, completeEntries, nil, nil)
	if err != nil {
		return nil
	}
	found := map[string]bool{}
	for i := range entries {
		if v := visible(value(&entries[i])); v != "" && strings.HasPrefix(v, begun) {
			found[v] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// completeFixed offers the same values always.
func completeFixed(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
