package cli

import (
	"context"
	"time"

	"hbjournal/config"
	"hbjournal/config/cli/doctor"
	"hbjournal/ingest/fleet"
	receivers "hbjournal/sink/forward/output"
)

// lookWithin bounds how long doctor waits for the servers of a stream.
const lookWithin = 2 * time.Second

// archiveState is what doctor looks at of the archive of a fleet.
func archiveState(loaded config.Loaded, monitor string) doctor.Archive {
	cfg := loaded.Config
	if cfg.ArchiveFrom == "" {
		return doctor.Archive{}
	}
	archive := doctor.Archive{From: "archive_from", Name: archiverName(cfg), Addr: cfg.HTTPAddr}
	if loaded.Origins["http_addr"].Source == config.FromDefault {
		archive.Addr = archiveHTTP
	}
	source, err := receivers.ParseSource(cfg.ArchiveFrom)
	archive.Settings = func() error {
		if err != nil {
			return err
		}
		return checkArchive(cfg)
	}
	if err != nil {
		return archive
	}
	archive.From = source.Address()
	if source.Topic == "" {
		archive.Stream = func() (doctor.ArchiveStream, error) { return lookAtStream(source) }
	}
	if monitor != "" {
		archive.Monitor = func() (doctor.Syncs, error) {
			ctx, cancel := context.WithTimeout(context.Background(), lookWithin)
			defer cancel()
			always, every, err := fleet.Syncs(ctx, monitor)
			return doctor.Syncs{Always: always, Every: every}, err
		}
	}
	return archive
}

func lookAtStream(source *receivers.Source) (found doctor.ArchiveStream, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookWithin)
	defer cancel()
	seen, err := setupOf(source).Look(ctx)
	if err != nil {
		return found, err
	}
	found = doctor.ArchiveStream{
		Missing: seen.Missing, Differs: seen.Differs, Copies: seen.Info.Config.Replicas,
		Bytes: int64(seen.Info.State.Bytes), MaxBytes: seen.Info.Config.MaxBytes,
		Messages: seen.Info.State.Messages, Oldest: seen.Info.State.FirstTime,
	}
	found.Current, found.Behind = seen.Current()
	return found, nil
}
