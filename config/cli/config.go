package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"hbjournal/config"
)

func newConfig(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the settings in effect and where each comes from",
		Args:  cobra.NoArgs,
		Example: `  # every setting, its value and its origin
  hbjournal config
  # only look for faults
  hbjournal config --check && echo fine
  # also bind and write, and undo it
  hbjournal config --try && echo fine
  # a file to start from
  hbjournal config --example > .hb.yaml`,
	}
	settings := addSettings(cmd)
	check := cmd.Flags().Bool("check", false, "only check: exit 0 if all is right, 2 with every fault if not")
	try := cmd.Flags().Bool("try", false, "as --check, and also bind, make and write what the settings name, and undo it")
	example := cmd.Flags().Bool("example", false, "print a commented YAML file with every setting")
	output := cmd.Flags().StringP("output", "o", "table", "form of the output: table, json or yaml")
	completeFixed(cmd, "output", "table", "json", "yaml")
	cmd.MarkFlagsMutuallyExclusive("check", "example", "output")
	cmd.MarkFlagsMutuallyExclusive("try", "example", "output")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *example {
			return config.WriteExample(env.Stdout)
		}
		show, err := settingsPrinter(*output)
		if err != nil {
			return err
		}
		loaded, err := settings.load(env)
		printWarnings(env, loaded)
		switch {
		case err == nil && *try:
			return trySettings(cmd.Context(), loaded.Config, env)
		case err != nil || *check:
			return err
		}
		return show(env.Stdout, loaded)
	}
	return cmd
}

func settingsPrinter(output string) (func(io.Writer, config.Loaded) error, error) {
	switch output {
	case "table":
		return printTable, nil
	case "json":
		return printJSON, nil
	case "yaml":
		return printYAML, nil
	}
	return nil, &usageError{fmt.Errorf("unknown output %q", output), "give -o table, -o json or -o yaml"}
}

func printTable(w io.Writer, loaded config.Loaded) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SETTING\tVALUE\tORIGIN")
	for _, k := range config.Keys() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", k.Name, visible(cmp.Or(k.Text(loaded.Config), `""`)), visible(loaded.Origins[k.Name].String()))
	}
	return table.Flush()
}

// printJSON prints one object: key name -> value and origin.
func printJSON(w io.Writer, loaded config.Loaded) error {
	type setting struct {
		Value  any           `json:"value"`
		Origin config.Origin `json:"origin"`
	}
	all := map[string]setting{}
	for _, k := range config.Keys() {
		all[k.Name] = setting{k.Value(loaded.Config), loaded.Origins[k.Name]}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(all)
}

// printYAML prints a configuration file of the settings in effect, with the origin of each as a comment.
func printYAML(w io.Writer, loaded config.Loaded) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, k := range config.Keys() {
		fmt.Fprintf(table, "%s\t# %s\n", k.YAML(loaded.Config), visible(loaded.Origins[k.Name].String()))
	}
	return table.Flush()
}
