package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"hbjournal/config"
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
	cmd.ValidArgsFunction = offerCommands
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		if *dir != "" {
			if err := os.MkdirAll(*dir, 0o755); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			return writePages(root, *dir)
		}
		page := root
		if len(args) > 0 {
			found, _, err := root.Find(args)
			if err != nil || found == root {
				return noSuchCommand(root, args)
			}
			page = found
		}
		text, err := manPage(page)
		if err != nil {
			return err
		}
		_, err = env.Stdout.Write(text)
		return err
	}
	return cmd
}

// offerCommands offers the commands that have a page.
func offerCommands(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []string
	for _, c := range cmd.Root().Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// writePages writes the page of a command and those of all below it, each to a file that is called after it.
func writePages(cmd *cobra.Command, dir string) error {
	text, err := manPage(cmd)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1")
	if err := writeAnew(path, text); err != nil {
		return fmt.Errorf("write manual page: %w", err)
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			if err := writePages(sub, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeAnew puts a new file in the place of the one at path, if there is one.
func writeAnew(path string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".hbjournal-*")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// manPage is what cobra makes of a command, with the sections that it has no place for.
func manPage(cmd *cobra.Command) ([]byte, error) {
	cmd.Root().DisableAutoGenTag, cmd.DisableAutoGenTag = true, true
	title := strings.ToUpper(strings.ReplaceAll(cmd.CommandPath(), " ", "-"))
	var page bytes.Buffer
	header := &doc.GenManHeader{Title: title, Section: "1", Source: "hbjournal " + versionText(), Manual: "User Commands"}
	if err := doc.GenMan(cmd, header, &page); err != nil {
		return nil, err
	}
	text, also, found := strings.Cut(page.String(), "\n.SH SEE ALSO")
	text = strings.TrimRight(text, "\n") + "\n" + moreSections(cmd)
	if found {
		text += ".SH SEE ALSO" + also
	}
	return []byte(text), nil
}

// moreSections are ENVIRONMENT, FILES and EXIT STATUS of a command.
func moreSections(cmd *cobra.Command) string {
	return manSection("ENVIRONMENT", manVariables(cmd)) + manSection("FILES", manFiles(cmd)) + manSection("EXIT STATUS", manCodes(cmd))
}

// manItem is a term and what is said about it.
type manItem struct{ term, text string }

func manVariables(cmd *cobra.Command) (items []manItem) {
	has := func(flag string) bool { return cmd.Flags().Lookup(flag) != nil }
	for _, k := range config.Keys() {
		if has(k.Flag) {
			items = append(items, manItem{k.Var, k.Help + "; as --" + k.Flag + ", which counts before it"})
		}
	}
	if has("config") {
		items = append(items, manItem{"CONFIG_FILE", "the YAML file with settings"})
	}
	if has("journal-local-time") || has("local") {
		items = append(items, manItem{"TZ", "the zone of times that are local, such as Europe/Berlin"})
	}
	if has("color") {
		items = append(items, manItem{"NO_COLOR", "if it is not empty, nothing is coloured by itself"})
	}
	if has("title") {
		items = append(items, manItem{"COLUMNS", "the width of the text, in place of the terminal's"})
	}
	if has("identity") {
		items = append(items, manItem{identityVar, "a file of secret keys of age, for encrypted backups; --identity counts before it"})
	}
	if has("reverse") {
		items = append(items, manItem{"TMPDIR", "where compressed files are unpacked to be read backwards, readable for nobody else"})
	}
	return items
}

func manFiles(cmd *cobra.Command) (items []manItem) {
	if cmd.Flags().Lookup("journal-dir") != nil {
		journal := filepath.Join(config.Default().JournalDir, config.Default().JournalFile)
		items = append(
			items,
			manItem{journal, "the journal: one JSON object a line"},
			manItem{journal + ".YYYYMMDD-HHMMSS", "its backups, with .gz or .zst if they are compressed, and .age if they are encrypted"},
			manItem{filepath.Dir(journal) + "/." + filepath.Base(journal) + ".d/", "all else that belongs to it: its lock, and what is unfinished"},
		)
	}
	if cmd.Flags().Lookup("config") != nil {
		path := config.SearchPath(map[string]string{"HOME": "~"})
		path[0] = "./" + path[0]
		items = append(items, manItem{strings.Join(path, ", "), "settings; the first of them that there is, unless another one is named"})
	}
	return items
}

func manCodes(cmd *cobra.Command) []manItem {
	if _, never := cmd.Annotations[neverUsage]; never {
		return []manItem{{"0", "all is well"}, {"1", "it is not, or it could not be found out"}}
	}
	if _, two := cmd.Annotations[failsWithTwo]; two {
		return []manItem{
			{"0", "no host is silent"},
			{"1", "some are"},
			{"2", "it could not be told: standard error says why"},
		}
	}
	return []manItem{
		{"0", "it is done"},
		{"1", "it failed, in whole or in part: standard error says why"},
		{"2", "the call or the configuration is wrong, and nothing was done"},
	}
}

// manSection is a section of a page; nothing without items.
func manSection(title string, items []manItem) string {
	if len(items) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, ".SH %s\n", title)
	for _, item := range items {
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fP\n%s\n", roff(item.term), roff(item.text))
	}
	return b.String()
}

// roff is a text as it stands in a page: no line of it is taken for a request.
func roff(text string) string {
	return `\&` + strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
}
