package cli

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker in a release: -ldflags "-X hbjournal/config/cli.version=1.2.3".
var version string

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
	return fmt.Sprintf("hbjournal %s (%s, %s/%s)\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
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
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	text := "devel"
	if commit := set["vcs.revision"]; commit != "" {
		text += "-" + commit[:min(len(commit), 12)]
	}
	if set["vcs.modified"] == "true" {
		text += "-dirty"
	}
	return text
}
