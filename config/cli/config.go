package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newConfig(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the settings in effect and where each comes from",
		Args:  cobra.NoArgs,
	}
	settings := addSettings(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		loaded, err := settings.load(env)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "%+v\n", loaded.Config)
		return err
	}
	return cmd
}
