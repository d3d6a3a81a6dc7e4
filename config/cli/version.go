package cli

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// What the linker sets: -ldflags "-X hbjournal/config/cli.version=1.2.3 -X hbjournal/config/cli.commit=$(git rev-parse HEAD)".
var (
	version string // of a release
	commit  string // of the source, where the Go command does not find it: in a worktree, or with -buildvcs=false
)

func newVersion(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit and the Go version it was built with",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(env.Stdout, versionLine())
			return err
		},
	}
}

// versionLine is what 'hbjournal version' and 'hbjournal --version' print.
func versionLine() string {
	text := versionText()
	if c := shortCommit(buildSettings()); c != "" && !strings.Contains(text, c) {
		text += " of commit " + c
	}
	return fmt.Sprintf("hbjournal %s (%s, %s/%s)\n", text, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// versionText returns what the linker set, or else what the Go command knew of the source: a module version or a commit.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if version != "" || !ok {
		return cmp.Or(version, "unknown")
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	text, set := "devel", buildSettings()
	if c := shortCommit(set); c != "" {
		text += "-" + c
	}
	if set["vcs.modified"] == "true" {
		text += "-dirty"
	}
	return text
}

// shortCommit is the first twelve digits of the source's commit, or "" if nobody knew it.
func shortCommit(set map[string]string) string {
	c := cmp.Or(commit, set["vcs.revision"])
	return c[:min(len(c), 12)]
}

// buildSettings is what the Go command has noted of the build, by name.
func buildSettings() map[string]string {
	set := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			set[s.Key] = s.Value
		}
	}
	return set
}
