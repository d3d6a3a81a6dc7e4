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

// serve loads the configuration, opens the daemon's own log, and runs until ctx is done or a signal ends it. What it
// ends with is told as the log is written. A standard error that nobody reads any more ends nothing.
func serve(ctx context.Context, settings *settings, env Env) error {
	defer surviveClosedPipes()()
	loaded, err := settings.load(env)
	if err != nil {
		return tellOnStderr(settings.logFormat(env, loaded.Config), env, err)
	}
	log, err := openLog(loaded.Config, env)
	if err != nil {
		return tellOnStderr(loaded.Config.LogFormat, env, err)
	}
	defer log.Close()
	for _, warning := range loaded.Warnings {
		log.Warn().Msg("configuration: " + warning)
	}
	log.Info().Str("version", versionText()).Str("config", loaded.File).Msg("hbjournal starts")
	if loaded.Config.ArchiveFrom != "" {
		log.Warn().Msg("archive_from does nothing here: 'hbjournal archive' writes the journals of a fleet")
	}
	from := managerOf(env, log.Logger)
	if len(from.sockets) > 0 && loaded.Origins["listen_addr"].Source == config.FromDefault {
		loaded.Config.ListenAddr = nil // Nobody has set it, so the sockets say where to listen.
	}
	return log.tellEnd(runDaemon(ctx, loaded.Config, from, log), env.Stderr)
}
