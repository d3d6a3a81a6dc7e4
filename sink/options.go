package sink

import (
	"fmt"
	"io/fs"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/sink/journal"
	"hbjournal/sink/rotate"
)

// Values of Options.Fsync that are no interval.
const (
	FsyncNever  time.Duration = -1 // leave it to the kernel; for logs whose last half minute may be lost in a power cut
	FsyncAlways time.Duration = -2 // after each batch, before the next one is written
)

// Options of a Journal. Dir is required; every other zero value is the default given with its field.
type Options struct {
	Dir        string         // made if missing
	File       string         // name of the live file; "": messages.journal
	MaxBytes   int64          // of the live file before it rotates; 0: no limit
	MaxBackups int            // backups kept; 0: all
	FileMode   fs.FileMode    // 0: 0640
	DirMode    fs.FileMode    // 0: 0750
	Location   *time.Location // of the datetime field and of backup names; nil: UTC

	Fsync       time.Duration // between flushes to the disk; 0: 1 s; or FsyncNever, FsyncAlways
	BufferBytes int64         // lines that wait for the disk, in bytes; what no longer fits is dropped; 0: 64 MiB

	// CloseTimeout bounds how long Close tries to write what is left on a disk that refuses it; 0: 10 s.
	CloseTimeout time.Duration

	// Source stands as the source of the journal's own notes, such as those about gaps. The zero value is [::]:0.
	Source netip.AddrPort

	Now func() time.Time // nil: time.Now
	Log zerolog.Logger   // start, rotation, clean-up, faults and their end; zero value: silent
}

func (o Options) withDefaults() (Options, error) {
	if o.Fsync < FsyncAlways {
		return o, fmt.Errorf("open journal: Fsync %v is neither an interval, FsyncNever nor FsyncAlways", o.Fsync)
	}
	if o.BufferBytes < 0 || o.CloseTimeout < 0 {
		return o, fmt.Errorf("open journal: BufferBytes %d and CloseTimeout %v must not be negative", o.BufferBytes, o.CloseTimeout)
	}
	if o.File == "" {
		o.File = "messages.journal"
	}
	if o.Fsync == 0 {
		o.Fsync = time.Second
	}
	if o.BufferBytes == 0 {
		o.BufferBytes = 64 << 20
	}
	if o.CloseTimeout == 0 {
		o.CloseTimeout = 10 * time.Second
	}
	if !o.Source.IsValid() {
		o.Source = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

func (o Options) rotate(onRotate func()) rotate.Options {
	return rotate.Options{
		Dir: o.Dir, Name: o.File,
		MaxBytes: o.MaxBytes, MaxBackups: o.MaxBackups,
		FileMode: o.FileMode, DirMode: o.DirMode,
		Location: o.Location,
		NoSync:   o.Fsync == FsyncNever,
		Whole:    func(line []byte) bool { _, err := journal.Compact(nil, line); return err == nil },
		OnRotate: onRotate,
		Now:      o.Now,
		Log:      o.Log,
	}
}
