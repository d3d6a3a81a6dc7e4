package cli

import (
	"context"
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"hbjournal/config"
	"hbjournal/ingest/fleet"
	receivers "hbjournal/sink/forward/output"
	"hbjournal/sink/rotate"
)

const archiveExample = `  # once: the stream that the receivers send to, and the bucket beside it
  hbjournal archive --init nats://n1.example.com,n2.example.com
  # each receiver's journal below a directory, from the stream
  JOURNAL_DIR=/srv/fleet hbjournal archive nats://n1.example.com
  # an archiver that is no more: nothing is kept for it any longer
  hbjournal archive --forget old nats://n1.example.com`

const archiveLong = "Write the journals of a fleet: each receiver ships its own to a stream ('hbjournal forward nats://...'), and this writes them " +
	"below journal_dir again, each in a directory by the receiver's name, line by line the receiver's own. They are rotated, compressed, encrypted " +
	"and pruned by the same settings as a journal of its own, and read by the same commands.\n\n" +
	"A line is in the archive once: what comes twice is left out, what is missing is asked for again from its receiver, and what that has no more " +
	"is an entry that says how much is gone. Without a URL it is the one in archive_from (ARCHIVE_FROM). " +
	"From a topic of Kafka (kafka://HOST/TOPIC) what is missing cannot be asked for."

// archiveFlags are the flags of `archive`.
type archiveFlags struct {
	init     bool
	forget   string
	settings *settings
}

func newArchive(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "archive [URL]",
		Short:   "Write the journals of a fleet's receivers from a stream",
		Long:    archiveLong,
		Example: archiveExample,
		Args:    cobra.MaximumNArgs(1),
	}
	f := &archiveFlags{}
	flags := cmd.Flags()
	flags.BoolVar(&f.init, "init", false, "make the stream and the bucket, or say how those that are there differ from what is needed; archive nothing")
	flags.StringVar(&f.forget, "forget", "", "let nothing be kept any more for the archiver of this `name`; archive nothing")
	cmd.MarkFlagsMutuallyExclusive("init", "forget")
	f.settings = addSettings(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return archive(cmd.Context(), f, args, env) }
	return cmd
}

// archive loads the configuration, and does what was asked for.
func archive(ctx context.Context, f *archiveFlags, args []string, env Env) error {
	defer surviveClosedPipes()()
	loaded, err := f.settings.load(env)
	if err != nil {
		return tellOnStderr(f.settings.logFormat(env, loaded.Config), env, err)
	}
	source, err := archiveSource(loaded.Config, args)
	if err != nil {
		return err
	}
	switch {
	case source.Topic != "" && (f.init || f.forget != ""):
		return &usageError{
			errors.New("--init and --forget are for NATS: beside a topic of Kafka there is no bucket, and nothing is kept for an archiver"),
			"make the topic with Kafka's own tools: a partition for each receiver, cleanup.policy=delete, min.insync.replicas=2",
		}
	case f.init:
		return initStream(ctx, source, env)
	case f.forget != "":
		return forgetArchiver(ctx, source, f.forget, env)
	}
	if err := checkArchive(loaded.Config); err != nil {
		return err
	}
	log, err := openLog(loaded.Config, env)
	if err != nil {
		return tellOnStderr(loaded.Config.LogFormat, env, err)
	}
	defer log.Close()
	for _, warning := range append(loaded.Warnings, openSecrets(&source.Target)...) {
		log.Warn().Msg("configuration: " + warning)
	}
	cfg := loaded.Config
	if loaded.Origins["http_addr"].Source == config.FromDefault {
		cfg.HTTPAddr = archiveHTTP
	}
	log.Info().Str("version", versionText()).Str("config", loaded.File).Str("from", source.Address()).Msg("hbjournal archives")
	return log.tellEnd(runArchive(ctx, cfg, source, managerOf(env, log.Logger), log), env.Stderr)
}

// archiveHTTP is where an archive serves its status, unless http_addr says otherwise: a receiver may run beside it.
const archiveHTTP = "127.0.0.1:9505"

// archiveSource is the stream to archive from.
func archiveSource(cfg config.Config, args []string) (*receivers.Source, error) {
	url := cfg.ArchiveFrom
	if len(args) > 0 {
		url = args[0]
	}
	if url == "" {
		return nil, &usageError{errors.New("there is no stream to archive from"), "give its URL, such as nats://127.0.0.1:4222, here or in archive_from (ARCHIVE_FROM)"}
	}
	source, err := receivers.ParseSource(url)
	if err != nil {
		return nil, &usageError{err, "'hbjournal archive --help' shows URLs"}
	}
	return source, nil
}

// checkArchive refuses settings that an archive cannot have.
func checkArchive(cfg config.Config) error {
	switch {
	case cfg.JournalSignKey != "":
		return &usageError{
			errors.New("journal_sign_key does not go with archive: the lines here are the receivers', and so are the seals over them"),
			"let the receivers sign; 'hbjournal verify --key' reads their checkpoints here too",
		}
	case len(cfg.ForwardTo) > 0:
		return &usageError{
			errors.New("forward_to does not go with archive: it ships one journal, and the archive has many"),
			"forward from the receivers, or run 'hbjournal forward --journal-dir DIR/RECEIVER URL' for each here; never both",
		}
	}
	return nil
}

// archiverName is the name of this archiver.
func archiverName(cfg config.Config) string {
	if cfg.ArchiverName != "" {
		return cfg.ArchiverName
	}
	cfg.ReceiverName = ""
	name, _ := receiverName(cfg)
	return name
}

// archiveEngine is what the archive is made from, and the bucket beside it; Kafka has none.
func archiveEngine(source *receivers.Source) (fleet.Engine, fleet.Bucket) {
	if source.Topic != "" {
		return fleet.NewKafka(source.Brokers, source.Topic), nil
	}
	return fleet.NewNATS(source.Servers, source.Stream), fleet.NewNATSBucket(source.Servers, source.Stream, source.Bucket)
}

// archiverOptions are those of the archive.
func archiverOptions(cfg config.Config, source *receivers.Source, log *daemonLog) (fleet.Options, error) {
	options, err := sinkOptions(cfg, noSource, log.Logger)
	if err != nil {
		return fleet.Options{}, encryptHint(err)
	}
	engine, bucket := archiveEngine(source)
	return fleet.Options{
		Dir: cfg.JournalDir, Name: archiverName(cfg),
		Files: func(dir string) rotate.Options {
			each := options
			each.Dir = dir
			return each.Files(nil)
		},
		Engine:      engine,
		Bucket:      bucket,
		BufferBytes: int64(cfg.JournalBufferSize),
		Location:    location(cfg),
		DirMode:     fs.FileMode(cfg.JournalDirMode),
		Log:         log.Logger,
	}, nil
}

// checkSource says what is wrong with archive_from.
func checkSource(url string) error {
	if url == "" {
		return nil
	}
	_, err := receivers.ParseSource(url)
	return err
}
