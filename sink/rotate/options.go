package rotate

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// Options say where the live file is and when it rotates. Dir and Name are required; every other zero value is the
// default given with its field.
type Options struct {
	Dir  string // made if missing
	Name string // file name of the live file, and the start of every backup's

	MaxBytes int64 // size that the live file never passes, but for a single longer line; 0: no limit
	// RotateEvery rotates at the end of each such period, as the clock of Location counts them: hours, days and weeks
	// begin where people expect. The period is that of the file's first line, and an empty file is left alone. 0: never.
	RotateEvery time.Duration

	MaxBackups    int           // backups kept; 0: all
	MaxAge        time.Duration // of the oldest backup, by its name; 0: any
	MaxTotalBytes int64         // of the live file and all backups as they are on the disk; 0: any
	MinFreeBytes  int64         // left free on the disk, as long as there are backups to remove; 0: none

	Compression Compression // of backups, by Compress; "": none
	Encrypter   Encrypter   // of backups, by Compress, when they have been compressed; nil: none are encrypted
	// MayEncrypt reports whether nobody needs a backup, by the name of its file, as it is. Those that are needed stay until a
	// later Compress, the newest ones as far as HoldBytes go with the live file; the others are encrypted, and the Holder is
	// told before. nil: all may.
	MayEncrypt func(name string) bool

	FileMode fs.FileMode // of every file that is made or opened, whatever the umask; 0: 0640
	DirMode  fs.FileMode // of directories that are made; 0: 0750

	Location *time.Location // zone of the stamps in backup names; nil: UTC

	// NoSync leaves flushing to the kernel: a retired file is closed without fsync.
	NoSync bool

	// Whole reports whether a last line found without its newline is nevertheless complete, so that Open gives it
	// one; any other is moved aside. nil: every one is taken for torn.
	Whole func(line []byte) bool

	// WrittenAt reports when a line was written, for RotateEvery. nil: lines do not tell.
	WrittenAt func(line []byte) (time.Time, bool)

	// OnRotate is called after each rotation, with the File locked: it must not block or call the File. It is meant to
	// wake the goroutines that call Tidy and Compress. nil: the rotation itself does both.
	OnRotate func()

	Sealer Sealer // of what is written; nil: none

	Holder    Holder // of backups; nil: none
	HoldBytes int64  // live file and backups together, up to which what the Holder needs is kept beyond the limits; 0: nothing is, and the Holder is told

	Now func() time.Time // nil: time.Now
	Log zerolog.Logger   // rotations, removals, and changes from outside; zero value: silent
}

func (o Options) withDefaults() (Options, error) {
	if o.Name == "" || o.Name != filepath.Base(o.Name) || strings.HasPrefix(o.Name, ".") {
		return o, fmt.Errorf("open journal: file name %q must be a plain name that does not start with a dot", o.Name)
	}
	if o.MaxBytes < 0 || o.MaxBackups < 0 || o.MaxAge < 0 || o.MaxTotalBytes < 0 || o.MinFreeBytes < 0 || o.RotateEvery < 0 {
		return o, fmt.Errorf("open journal: limits must not be negative (MaxBytes %d, MaxBackups %d, MaxAge %v, "+
			"MaxTotalBytes %d, MinFreeBytes %d, RotateEvery %v)",
			o.MaxBytes, o.MaxBackups, o.MaxAge, o.MaxTotalBytes, o.MinFreeBytes, o.RotateEvery)
	}
	if o.Compression != "" && o.Compression != Gzip && o.Compression != Zstd {
		return o, fmt.Errorf("open journal: unknown compression %q", string(o.Compression))
	}
	if o.FileMode == 0 {
		o.FileMode = 0o640
	}
	if o.DirMode == 0 {
		o.DirMode = 0o750
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Whole == nil {
		o.Whole = func([]byte) bool { return false }
	}
	if o.WrittenAt == nil {
		o.WrittenAt = func([]byte) (time.Time, bool) { return time.Time{}, false }
	}
	if o.Sealer == nil {
		o.Sealer = unsealed{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

func (o Options) path() string { return filepath.Join(o.Dir, o.Name) }

func (o Options) stateDir() string { return StateDir(o.Dir, o.Name) }

// StateDir is where everything lies that belongs to the journal name in dir and is not entries. It starts with a dot,
// so that `cat messages.journal*` never meets it.
func StateDir(dir, name string) string { return filepath.Join(dir, "."+name+".d") }
