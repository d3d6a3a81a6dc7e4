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
	Dir      string        // made if missing
	File     string        // name of the live file; "": messages.journal
	MaxBytes int64         // of the live file before it rotates; 0: no limit
	Every    time.Duration // rotate at the end of each such period of the wall clock too, if anything came in; 0: never
	Compress string        // backups: "gzip" or "zstd"; "": not at all
	// Encrypter encrypts backups, after they have been compressed, and those of earlier times too; nil: none are encrypted.
	Encrypter rotate.Encrypter
	// MayEncrypt reports whether nobody needs a backup, by its file name, as it is; until then it stays so, up to HoldBytes of
	// these and the live file. nil: all may be encrypted at once.
	MayEncrypt func(name string) bool
	FileMode   fs.FileMode    // 0: 0640
	DirMode    fs.FileMode    // 0: 0750
	Location   *time.Location // of the datetime field and of backup names; nil: UTC

	// Limits on backups, which hold together: whichever bites, the oldest go first. The live file is never removed.
	MaxBackups    int           // 0: any number
	MaxAge        time.Duration // of the oldest; 0: any
	MaxTotalBytes int64         // with the live file, as they are on the disk; 0: any
	MinFreeBytes  int64         // left free on the disk; 0: none

	Fsync       time.Duration // between flushes to the disk; 0: 1 s; or FsyncNever, FsyncAlways
	BufferBytes int64         // lines that wait for the disk, in bytes; what no longer fits is dropped; 0: 64 MiB

	// CloseTimeout bounds how long Close tries to write what is left on a disk that refuses it; 0: 10 s.
	CloseTimeout time.Duration

	// Source stands as the source of the journal's own notes, such as those about gaps. The zero value is [::]:0.
	Source netip.AddrPort

	// Sealer makes what is written provable; nil: nothing does. Whatever becomes of it, the journal goes on.
	Sealer Sealer

	// Holder has a say in pruning, up to HoldBytes of the live file and all backups, and is told of what goes that it needs; nil:
	// nobody has. With HoldBytes 0 it is told only.
	Holder    rotate.Holder
	HoldBytes int64

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
	if _, ok := compressions[o.Compress]; !ok {
		return o, fmt.Errorf("open journal: Compress %q is neither gzip nor zstd", o.Compress)
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

// compressions are the values of Options.Compress.
var compressions = map[string]rotate.Compression{"": "", "gzip": rotate.Gzip, "zstd": rotate.Zstd}

// Files are the options of the files below the journal, for who writes lines that are made already.
func (o Options) Files(onRotate func()) rotate.Options {
	var sealer rotate.Sealer
	if o.Sealer != nil {
		sealer = o.Sealer
	}
	return rotate.Options{
		Dir: o.Dir, Name: o.File,
		MaxBytes: o.MaxBytes, RotateEvery: o.Every,
		MaxBackups: o.MaxBackups, MaxAge: o.MaxAge, MaxTotalBytes: o.MaxTotalBytes, MinFreeBytes: o.MinFreeBytes,
		Compression: compressions[o.Compress],
		Encrypter:   o.Encrypter, MayEncrypt: o.MayEncrypt,
		FileMode: o.FileMode, DirMode: o.DirMode,
		Location:  o.Location,
		NoSync:    o.Fsync == FsyncNever && o.Sealer == nil, // What is sealed must stay.
		Whole:     func(line []byte) bool { _, err := journal.Compact(nil, line); return err == nil },
		WrittenAt: writtenAt,
		OnRotate:  onRotate,
		Sealer:    sealer,
		Holder:    o.Holder,
		HoldBytes: o.HoldBytes,
		Now:       o.Now,
		Log:       o.Log,
	}
}

// writtenAt is the time in a line.
func writtenAt(line []byte) (time.Time, bool) {
	entry, err := journal.ParseLine(line)
	return time.UnixMilli(entry.Millis), err == nil
}
