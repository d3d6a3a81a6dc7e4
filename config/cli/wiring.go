package cli

import (
	"io/fs"
	"net/netip"
	"strings"
	"time"
	_ "time/tzdata" // containers often have no zones of their own, and TZ must work there

	"github.com/rs/zerolog"

	"hbjournal/config"
	"hbjournal/ingest"
	"hbjournal/sink"
)

// The Journal is what the sockets' readers append to.
var _ ingest.Appender = (*sink.Journal)(nil)

func location(cfg config.Config) *time.Location {
	if cfg.JournalLocalTime {
		return time.Local
	}
	return time.UTC
}

func ingestOptions(cfg config.Config, log zerolog.Logger) ingest.Options {
	return ingest.Options{
		Addrs:           cfg.ListenAddr,
		BufferBytes:     int(cfg.ListenBuffer),
		MaxMessageBytes: int(cfg.MaxMessageSize),
		DropInvalid:     cfg.JournalInvalid == "drop",
		Location:        location(cfg),
		Gateways:        ingest.DefaultGateways("/proc"),
		AllowFrom:       networks(cfg.AllowFrom),
		RateLimit:       cfg.RateLimit,
		Include:         rules(cfg.FilterInclude),
		Exclude:         rules(cfg.FilterExclude),
		DedupWindow:     time.Duration(cfg.DedupWindow),
		DrainTimeout:    time.Duration(cfg.ShutdownTimeout) / 4,
		Log:             log,
	}
}

// networks are those of texts, which have been checked already.
func networks(texts []string) []netip.Prefix {
	networks, _ := parseNetworks(texts)
	return networks
}

// sinkOptions are those of the journal. The error is that its backups cannot be encrypted as they are to be.
func sinkOptions(cfg config.Config, source netip.AddrPort, log zerolog.Logger) (sink.Options, error) {
	return encryptBy(cfg, sink.Options{
		Dir:      cfg.JournalDir,
		File:     cfg.JournalFile,
		MaxBytes: int64(cfg.JournalMaxSize),
		Every:    time.Duration(cfg.JournalRotateEvery),
		Compress: strings.TrimPrefix(cfg.JournalCompress, "none"),

		MaxBackups:    cfg.JournalMaxBackups,
		MaxAge:        time.Duration(cfg.JournalMaxAge),
		MaxTotalBytes: int64(cfg.JournalMaxTotalSize),
		MinFreeBytes:  int64(cfg.JournalMinFree),

		FileMode:     fs.FileMode(cfg.JournalFileMode),
		DirMode:      fs.FileMode(cfg.JournalDirMode),
		Location:     location(cfg),
		Fsync:        fsync(cfg.JournalFsync),
		BufferBytes:  int64(cfg.JournalBufferSize),
		CloseTimeout: time.Duration(cfg.ShutdownTimeout) * 5 / 8, // Which Close may exceed by a fifth, so this is the rest.
		Source:       source,
		Log:          log,
	})
}

// rules are those of filters that have been checked already.
func rules(texts []string) []ingest.Rule {
	rules, _ := ingest.ParseRules(texts)
	return rules
}

func fsync(f config.Fsync) time.Duration {
	switch f {
	case config.FsyncNever:
		return sink.FsyncNever
	case config.FsyncAlways:
		return sink.FsyncAlways
	}
	return time.Duration(f)
}
