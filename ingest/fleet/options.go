package fleet

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/rotate"
)

// Options of an Archiver. Dir, Name, Files and Engine are required; every other zero value is the default given with its field.
type Options struct {
	Dir    string                          // a directory in it is a receiver's journal
	Name   string                          // of this archiver
	Files  func(dir string) rotate.Options // of a receiver's journal in dir
	Engine Engine
	Bucket Bucket // nil: the engine has none, so that nothing is asked for, confirmed or purged

	BufferBytes int64          // lines of all receivers that wait for the disk, in bytes; 0: 64 MiB
	Round       time.Duration  // how long lines wait to be written and made durable together; 0: 200 ms
	Location    *time.Location // of the datetime of notes; nil: UTC
	DirMode     fs.FileMode    // 0: 0750
	AsideBytes  int64          // of what is put aside, at most; 0: 64 MiB
	Decrypter   read.Decrypter // of backups; nil: encrypted ones cannot be looked into

	Now func() time.Time // nil: time.Now
	Log zerolog.Logger   // zero value: silent
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" || o.Files == nil || o.Engine == nil {
		return o, errors.New("open archive: Dir, Files and Engine are required")
	}
	if err := stream.CheckName(o.Name); err != nil {
		return o, err
	}
	if o.BufferBytes == 0 {
		o.BufferBytes = 64 << 20
	}
	if o.Round == 0 {
		o.Round = 200 * time.Millisecond
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.DirMode == 0 {
		o.DirMode = 0o750
	}
	if o.AsideBytes == 0 {
		o.AsideBytes = 64 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

// stateDir is where an archive keeps what belongs to no receiver.
func (o *Options) stateDir() string { return StateDir(o.Dir) }

// StateDir is where the archive in dir keeps what belongs to no receiver.
func StateDir(dir string) string { return filepath.Join(dir, ".archive.d") }
