package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hbjournal/sink/rotate"
)

const diskGroup = "disk"

func diskChecks() []check {
	all := []check{
		{"directory", diskGroup, (*examination).directory},
		{"live-file", diskGroup, (*examination).liveFile},
		{"write", diskGroup, (*examination).write},
		{"file-system", diskGroup, (*examination).fileSystem},
		{"room", diskGroup, (*examination).room},
		{"fsync", diskGroup, (*examination).fsync},
		{"lock", diskGroup, (*examination).lock},
		{"seal", diskGroup, (*examination).seal},
		{"encryption", diskGroup, (*examination).encryption},
		{"life", diskGroup, (*examination).life},
	}
	for i, c := range all {
		all[i].look = func(e *examination) Row {
			if e.Journal.Disabled {
				return skip("journal_enabled=false")
			}
			e.disk.Lock()
			defer e.disk.Unlock()
			return c.look(e)
		}
	}
	return all
}

// existing is the nearest directory at or above path that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// directory looks at journal_dir as it stands.
func (e *examination) directory() Row {
	dir := e.Journal.Dir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Row{Status: Note, Measured: dir + " is missing; the daemon makes it, if it may write in " + existing(dir)}
	case err != nil:
		return Row{Status: Fail, Measured: fmt.Sprintf("uid %d: %v", e.UID, err), Cure: e.asRoot("namei -l " + Quoted(dir))}
	case !info.IsDir():
		return Row{Status: Fail, Measured: dir + " is a file, not a directory", Cure: fmt.Sprintf("mv %s %s", Quoted(dir), Quoted(dir+".aside"))}
	}
	r := Row{Status: OK, Measured: fmt.Sprintf("%s has mode %04o%s", dir, info.Mode().Perm(), ownerText(info))}
	if info.Mode().Perm()&0o002 != 0 {
		r.Status, r.Measured = Warn, r.Measured+": every user can plant or remove files in it"
		r.Limit, r.Cure = "not writable for others", e.asRoot("chmod o-w "+Quoted(dir))
		if info.Mode()&fs.ModeSticky != 0 {
			r.Status, r.Measured, r.Cure = Note, r.Measured[:strings.LastIndexByte(r.Measured, ':')]+", sticky: every user can plant files in it",
				"export JOURNAL_DIR=/var/log/heartbeat # a directory of its own"
		}
	}
	return r
}

func ownerText(info fs.FileInfo) string {
	uid, ok := ownerOf(info)
	if !ok {
		return ""
	}
	return ", owner " + userText(strconv.Itoa(uid))
}

// liveFile looks at what stands at the path of the live file. A link is never followed.
func (e *examination) liveFile() Row {
	path := filepath.Join(e.Journal.Dir, e.Journal.Name)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Row{Status: OK, Measured: path + " is made at the start"}
	case err != nil:
		return Row{Status: Fail, Measured: fmt.Sprintf("uid %d: %v", e.UID, err), Cure: e.asRoot("namei -l " + Quoted(path))}
	case !info.Mode().IsRegular():
		return Row{
			Status: Fail, Measured: fmt.Sprintf("%s is no regular file: %v", path, info.Mode()), Limit: "links are not followed",
			Cure: fmt.Sprintf("mv %s %s", Quoted(path), Quoted(path+".aside")),
		}
	}
	r := Row{Status: OK, Measured: fmt.Sprintf("mode %04o%s, %s", info.Mode().Perm(), ownerText(info), bytesText(info.Size())), Limit: fmt.Sprintf("journal_file_mode=%04o", e.Journal.FileMode)}
	if owner, known := ownerOf(info); known && owner != e.UID && e.UID != 0 && info.Mode().Perm() != e.Journal.FileMode {
		r.Status, r.Measured = Fail, r.Measured+fmt.Sprintf(": uid %d may not give it its mode", e.UID)
		r.Cure = fmt.Sprintf("sudo chown %d %s", e.UID, Quoted(path))
	}
	return r
}

// write does what the daemon does with its files.
func (e *examination) write() Row {
	if e.Journal.Probe == nil {
		return skip("there is no way to try")
	}
	err := e.Journal.Probe()
	if err == nil {
		return Row{Status: OK, Measured: fmt.Sprintf("uid %d can make, write, sync, link and rename files in %s", e.UID, e.Journal.Dir)}
	}
	r := Row{Status: Fail, Measured: fmt.Sprintf("uid %d: %s", e.UID, oneLine(err.Error()))}
	dir := Quoted(existing(e.Journal.Dir))
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, errQuota):
		r.Cure = fmt.Sprintf("df -h %s; df -i %s # then remove what is not needed", dir, dir)
	case errors.Is(err, syscall.EROFS):
		m, _ := e.mountOf(e.Journal.Dir)
		r.Cure = e.asRoot("mount -o remount,rw " + Quoted(cmp.Or(m.point, existing(e.Journal.Dir))))
	case errors.Is(err, fs.ErrPermission) && e.UID == 0:
		r.Cure = "dmesg | grep -i denied; lsattr -d " + dir + " # what forbids it to root: SELinux, AppArmor, or an attribute"
	case errors.Is(err, fs.ErrPermission):
		r.Cure = fmt.Sprintf("sudo chown -R %d %s # or run it as the directory's owner", e.UID, dir)
	case errors.Is(err, rotate.ErrNotRegular):
		r.Cure = fmt.Sprintf("mv %s %s", Quoted(e.Journal.path()), Quoted(e.Journal.path()+".aside"))
	default:
		r.Cure = "hbjournal config --check --try"
	}
	return r
}

func (j Journal) path() string { return filepath.Join(j.Dir, j.Name) }

// mount is a line of /proc/self/mountinfo.
type mount struct {
	point, kind string
	readOnly    bool
}

// mountOf is the mount that a directory is on, or will be. The zero mount: none of those that there are.
func (e *examination) mountOf(dir string) (found mount, err error) {
	if dir, err = filepath.Abs(existing(dir)); err != nil {
		return found, err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	rows, err := fields(e.proc("self/mountinfo"))
	for _, row := range rows {
		// id parent major:minor root point options [optional...] - kind source superoptions
		dash := slices.Index(row, "-")
		if dash < 6 || dash+3 >= len(row) {
			continue
		}
		m := mount{point: unescaped(row[4]), kind: row[dash+1]}
		m.readOnly = isAmong("ro", row[5]) || isAmong("ro", row[dash+3])
		if covers(m.point, dir) && len(m.point) >= len(found.point) { // Of two at one point, the later one counts.
			found = m
		}
	}
	return found, err
}

func isAmong(option, options string) bool {
	return slices.Contains(strings.Split(options, ","), option)
}

func covers(point, dir string) bool {
	return point == "/" || dir == point || strings.HasPrefix(dir, point+"/")
}

// unescaped undoes how mountinfo writes blanks and backslashes.
func unescaped(text string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(text)
}

// fileSystem looks at what kind of file system the journal is on.
func (e *examination) fileSystem() Row {
	m, err := e.mountOf(e.Journal.Dir)
	switch {
	case err != nil:
		return unreadable(err)
	case m.point == "":
		return skip("cannot see what is mounted in " + e.proc("self/mountinfo"))
	}
	r := Row{Status: OK, Measured: fmt.Sprintf("%s, mounted at %s", m.kind, m.point)}
	elsewhere := "export JOURNAL_DIR=/var/log/heartbeat # or another directory on a disk of this machine"
	switch {
	case m.readOnly:
		r.Status, r.Measured, r.Cure = Fail, r.Measured+", read-only", e.asRoot("mount -o remount,rw "+Quoted(m.point))
	case m.kind == "tmpfs" || m.kind == "ramfs":
		r.Status, r.Measured, r.Cure = Warn, r.Measured+": it is memory, and lost when the machine stops", elsewhere
	case m.kind == "overlay" || m.kind == "aufs":
		r.Status, r.Measured = Warn, r.Measured+": it is the container's own layer, and lost with it"
		r.Cure = fmt.Sprintf("docker run -v heartbeat:%s ... # a volume", Quoted(e.Journal.Dir))
	case isRemote(m.kind):
		r.Status, r.Measured, r.Cure = Warn, r.Measured+": on a file server that hangs, messages wait in memory and are lost beyond it; locks may not hold", elsewhere
	}
	return r
}

// isRemote reports whether a kind of file system lies elsewhere, or in another program.
func isRemote(kind string) bool {
	return slices.Contains([]string{"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "afs", "ceph", "glusterfs", "lustre", "vboxsf"}, kind) ||
		strings.HasPrefix(kind, "fuse") && kind != "fuseblk"
}

// How long the disk is tried, and what is slow.
const (
	fsyncs     = 20
	fsyncTime  = 500 * time.Millisecond
	fsyncSlow  = 10 * time.Millisecond
	fsyncAwful = 100 * time.Millisecond
)

// fsync measures how long the disk takes to make 4 KiB safe, in the state directory, for half a second at most.
func (e *examination) fsync() Row {
	took, err := e.syncTimes()
	if err != nil {
		return skip(oneLine(err.Error()))
	}
	return fsyncRow(took)
}

func (e *examination) syncTimes() (took []time.Duration, err error) {
	dir := rotate.StateDir(e.Journal.Dir, e.Journal.Name)
	undo, err := rotate.TryDir(dir, 0o750)
	defer func() { err = errors.Join(err, undo()) }()
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(dir, "doctor-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close(), removed(file.Name())) }()
	_ = os.Remove(file.Name()) // So that nothing stays if this process is killed; not every system allows it.
	for began := time.Now(); len(took) < fsyncs && time.Since(began) < fsyncTime; {
		if _, err := file.Write(make([]byte, 4<<10)); err != nil {
			return nil, err
		}
		start := time.Now()
		if err := syncData(file); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fsyncRow judges the times that syncing took, of which there is one at least.
func fsyncRow(took []time.Duration) Row {
	took = slices.Clone(took)
	slices.Sort(took)
	median, worst := took[len(took)/2], took[len(took)-1]
	r := Row{
		Status:   OK,
		Measured: fmt.Sprintf("4 KiB are safe after %v, at worst %v, of %d", rounded(median), rounded(worst), len(took)),
		Limit:    fmt.Sprintf("%v is slow, %v is too slow", fsyncSlow, fsyncAwful),
	}
	switch {
	case median > fsyncAwful:
		r.Status = Warn
	case median > fsyncSlow:
		r.Status = Note
	default:
		return r
	}
	r.Cure = "export JOURNAL_FSYNC=5s # syncs less often; 'iostat -x 1' shows who else is busy"
	return r
}

func rounded(d time.Duration) time.Duration {
	return d.Round(cmp.Or(d.Truncate(time.Millisecond)/1000, time.Microsecond))
}

// lock looks who writes the journal.
func (e *examination) lock() Row {
	path := filepath.Join(rotate.StateDir(e.Journal.Dir, e.Journal.Name), "lock")
	d := e.daemon()
	text, _ := word(path)
	pid, err := strconv.Atoi(text)
	switch {
	case d.LockErr != nil:
		return skip(d.LockErr.Error())
	case !d.Running:
		return Row{Status: OK, Measured: "nobody holds it"}
	case err != nil:
		return Row{Status: Note, Measured: "held, and it does not say by whom", Cure: e.asRoot("lsof " + Quoted(path))}
	case !isThere(e.proc(text)) && isThere(e.proc("self")):
		return Row{Status: Note, Measured: fmt.Sprintf("held by pid %d, which is not seen here: it runs in another container, or on another machine", pid), Cure: e.asRoot("lsof " + Quoted(path))}
	case pid != d.PID:
		return Row{Status: Note, Measured: fmt.Sprintf("held by pid %d, while pid %d left word that it serves", pid, d.PID), Cure: fmt.Sprintf("ps -fp %d", pid)}
	}
	return Row{Status: OK, Measured: fmt.Sprintf("held by the daemon, pid %d", pid)}
}

// seal looks at the key that seals the journal, and whether its checkpoints are out of the reach of this machine.
func (e *examination) seal() Row {
	if e.Journal.Seal == nil {
		return skip("journal_sign_key is not set")
	}
	s := e.Journal.Seal()
	switch {
	case s.KeyErr != nil:
		return Row{Status: Fail, Measured: s.KeyErr.Error(), Cure: fmt.Sprintf("chmod o= %s # or make one: hbjournal seal keygen NAME", Quoted(s.KeyFile))}
	case !s.Begun:
		return Row{Status: Fail, Measured: "the journal holds lines and no checkpoint: nothing is sealed", Cure: "hbjournal seal init"}
	case !s.Published:
		return Row{
			Status: Note, Measured: fmt.Sprintf("%d lines are under a checkpoint, and no copy of it goes elsewhere: not anchored", s.Checkpoint),
			Cure: "export JOURNAL_CHECKPOINTS_TO=/mnt/other/checkpoints",
		}
	}
	return Row{Status: OK, Measured: fmt.Sprintf("%d lines are under a checkpoint, and copies of it go elsewhere", s.Checkpoint)}
}
