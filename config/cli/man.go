package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "man [COMMAND]",
		Short: "Print a manual page, or write them all to a directory",
		Example: `  hbjournal man query | man -l -
  hbjournal man --dir /usr/local/share/man/man1`,
		Args: cobra.MaximumNArgs(1),
	}
	dir := cmd.Flags().String("dir", "", "write the pages of all commands to this `directory`")
	_ = cmd.MarkFlagDirname("dir")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var names []string
		for _, c := range cmd.Root().Commands() {
			if c.IsAvailableCommand() {
				names = append(names, c.Name())
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		page := cmd.Root()
		page.DisableAutoGenTag = true
		header := &doc.GenManHeader{Title: "HBJOURNAL", Section: "1", Source: "hbjournal " + versionText(), Manual: "User Commands"}
		if *dir != "" {
			if err := os.MkdirAll(*dir, 0o755); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			header.Title = "" // Each page is called after its command.
			return doc.GenManTree(page, header, *dir)
		}
		if len(args) > 0 {
			found, _, err := page.Find(args)
			if err != nil || found == page {
				return noSuchCommand(page, args)
			}
			page = found
		}
		return doc.GenMan(page, header, env.Stdout)
	}
	return cmd
}
