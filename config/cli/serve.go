package cli

import (
	"context"

	"github.com/spf13/cobra"

	"hbjournal/config"
)

func newServe(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Receive datagrams and write the journal (the default command)",
		Args:  cobra.NoArgs,
	}
	settings := addSettings(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return serve(cmd.Context(), settings, env)
	}
	return cmd
}

// serve loads the configuration, opens the daemon's own log, and runs until ctx is done or a signal ends it.
func serve(ctx context.Context, settings *settings, env Env) error {
	loaded, err := settings.load(env)
	if err != nil {
		return err
	}
	log, closer, err := openLog(loaded.Config, env.Stderr)
	if err != nil {
		return err
	}
	defer closer.Close()
	for _, warning := range loaded.Warnings {
		log.Warn().Msg("configuration: " + warning)
	}
	log.Info().Str("version", versionText()).Str("config", loaded.File).Msg("hbjournal starts")
	from := managerOf(env, log)
	if len(from.sockets) > 0 && loaded.Origins["listen_addr"].Kind == config.FromDefault {
		loaded.Config.ListenAddr = nil // Nobody has set it, so the sockets say where to listen.
	}
	return runDaemon(ctx, loaded.Config, from, log)
}
