package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	configGroup = "config"
	systemGroup = "system"
)

func configChecks() []check {
	return []check{
		{"settings", configGroup, (*examination).settings},
		{"user", configGroup, (*examination).user},
		{"daemon", configGroup, (*examination).daemonRow},
	}
}

func systemChecks() []check {
	return []check{
		{"container", systemGroup, (*examination).containerRow},
		{"memory", systemGroup, (*examination).memory},
		{"cpu", systemGroup, (*examination).processorTime},
		{"open-files", systemGroup, (*examination).openFiles},
		{"file-size", systemGroup, (*examination).fileSize},
	}
}

func (e *examination) settings() Row {
	from := cmp.Or(e.Config.File, "no file")
	switch {
	case len(e.Config.Faults) > 0:
		return Row{Status: Fail, Measured: strings.Join(e.Config.Faults, "; "), Limit: from, Cure: "hbjournal config --check"}
	case len(e.Config.Warnings) > 0:
		return Row{Status: Warn, Measured: strings.Join(e.Config.Warnings, "; "), Limit: from, Cure: "hbjournal config --check"}
	}
	return Row{Status: OK, Measured: "no fault, from " + from + " and the environment"}
}

// user compares the user that runs this with the one that runs the daemon, by whose rights the rest is meant.
func (e *examination) user() Row {
	r := Row{Status: OK, Measured: "all is tried as " + userText(strconv.Itoa(e.UID))}
	name, of := e.daemonUser()
	if name == "" {
		return r
	}
	id := name
	if found, err := user.Lookup(name); err == nil {
		id = found.Uid
	}
	if id == strconv.Itoa(e.UID) {
		r.Measured += ", as " + of
		return r
	}
	r.Status = Note
	r.Measured += fmt.Sprintf("; %s has %s", of, userText(name))
	r.Cure = fmt.Sprintf("sudo -u %s hbjournal doctor", quotedUser(name))
	return r
}

// userText names a user, who may be given by number.
func userText(name string) string {
	if found, err := user.LookupId(name); err == nil {
		return fmt.Sprintf("uid %s (%s)", name, found.Username)
	}
	if _, err := strconv.Atoi(name); err == nil {
		return "uid " + name
	}
	return "user " + name
}

// quotedUser is a user as sudo takes it.
func quotedUser(name string) string {
	if _, err := strconv.Atoi(name); err != nil {
		return Quoted(name)
	}
	if found, err := user.LookupId(name); err == nil {
		return Quoted(found.Username)
	}
	return "'#" + name + "'"
}

// daemonUser is whom the daemon runs as, by name or number, or whom its unit names; "" if neither is known.
func (e *examination) daemonUser() (name, of string) {
	if d := e.daemon(); d.Running && d.PID > 0 {
		rows, _ := fields(e.proc(strconv.Itoa(d.PID) + "/status"))
		for _, row := range rows {
			if len(row) > 2 && row[0] == "Uid:" {
				return row[2], fmt.Sprintf("the daemon (pid %d)", d.PID) // the one that counts
			}
		}
	}
	if e.unseen() {
		sockets, _ := e.sockets()
		if i := slices.IndexFunc(sockets, e.isOwn); i >= 0 && sockets[i].uid != 0 { // A service manager's is root's.
			return strconv.Itoa(sockets[i].uid), "who receives on the port"
		}
	}
	return e.unitUser(), "its unit"
}

// unitUser is the User= of the unit, and of what changes it; "" without any.
func (e *examination) unitUser() (name string) {
	const unit = "hbjournal.service"
	dirs := []string{"etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"}
	for _, dir := range dirs {
		path := filepath.Join(e.Root, dir, unit)
		if isThere(path) {
			name = userIn(path)
			break
		}
	}
	for _, dir := range slices.Backward(dirs) {
		changes, _ := filepath.Glob(filepath.Join(e.Root, dir, unit+".d", "*.conf"))
		for _, path := range changes {
			name = cmp.Or(userIn(path), name)
		}
	}
	return name
}

func userIn(path string) (name string) {
	rows, _ := fields(path)
	for _, row := range rows {
		if value, ok := strings.CutPrefix(row[0], "User="); ok {
			name = value
		}
	}
	return name
}

// daemonRow is what the running daemon says of itself.
func (e *examination) daemonRow() Row {
	d := e.daemon()
	logs := "journalctl -u hbjournal -n 20"
	switch {
	case e.Journal.Disabled && !d.Asked:
		return skip("journal_enabled=false, so the daemon leaves no word of itself")
	case d.LockErr != nil && !d.Asked:
		return skip(d.LockErr.Error())
	case !d.Running && !d.Asked:
		return Row{Status: Note, Measured: "none writes the journal now", Cure: "hbjournal serve # or: systemctl start hbjournal"}
	case d.AskErr != nil:
		return skip("it writes the journal, and was not asked more: " + d.AskErr.Error())
	case d.NotReady != "":
		return Row{Status: Fail, Measured: oneLine(d.NotReady), Cure: logs}
	case d.Warnings != "":
		return Row{Status: Warn, Measured: oneLine(d.Warnings), Cure: logs}
	case d.Lost > 0:
		return Row{Status: Note, Measured: fmt.Sprintf("it receives; %d datagrams were lost since it was started", d.Lost), Cure: "hbjournal query --id JRN"}
	}
	return Row{Status: OK, Measured: "it receives, and nothing was lost since it was started"}
}

func oneLine(text string) string {
	return strings.Join(strings.Split(strings.TrimSpace(text), "\n"), "; ")
}

// container is the word for what this process is enclosed in; "": nothing that shows.
func (e *examination) container() string {
	switch {
	case e.Environ["KUBERNETES_SERVICE_HOST"] != "":
		return "Kubernetes"
	case isThere(filepath.Join(e.Root, ".dockerenv")):
		return "Docker"
	case isThere(filepath.Join(e.Root, "run/.containerenv")):
		return "Podman"
	}
	return e.Environ["container"] // as systemd-nspawn, LXC and Podman set it
}

func (e *examination) containerRow() Row {
	in := e.container()
	if in == "" {
		return Row{Status: OK, Measured: "none shows"}
	}
	return Row{Status: Note, Measured: "this runs in " + in + ": settings of the kernel are the host's, and journal_dir must be a volume"}
}

// process is the directory of /proc whose limits are those of the daemon, or of this process if there is none.
func (e *examination) process() (dir, whose string) {
	if d := e.daemon(); d.Running && d.PID > 0 {
		if pid := strconv.Itoa(d.PID); isThere(e.proc(pid + "/limits")) {
			return pid, "the daemon"
		}
	}
	return "self", "this process"
}

// spare is the memory that the daemon needs beside journal_buffer_size.
const spare = 64 << 20

func (e *examination) memory() Row {
	dir, whose := e.process()
	need := e.MemoryBytes + spare
	limit, name, err := e.lowest(dir, "memory", "memory.max", "memory.limit_in_bytes")
	if err != nil {
		return unreadable(err)
	}
	if name == "" {
		total, err := e.memoryOfMachine()
		if err != nil {
			return unreadable(err)
		}
		limit, name = total, "memory of the machine"
	}
	r := Row{
		Status: OK, Measured: fmt.Sprintf("%s may need %s: journal_buffer_size=%d and %s beside it", whose, bytesText(need), e.MemoryBytes, bytesText(spare)),
		Limit: fmt.Sprintf("%s of %s", name, bytesText(limit)),
	}
	if limit < need {
		r.Status = Warn
		r.Cure = fmt.Sprintf("export JOURNAL_BUFFER_SIZE=%d # or a limit of %d", max(limit-spare, 1<<20), need)
	}
	return r
}

// memoryOfMachine is MemTotal of /proc/meminfo, in bytes.
func (e *examination) memoryOfMachine() (int64, error) {
	rows, err := fields(e.proc("meminfo"))
	for _, row := range rows {
		if len(row) > 1 && row[0] == "MemTotal:" {
			kilo, err := strconv.ParseInt(row[1], 10, 53)
			return kilo << 10, err
		}
	}
	if err == nil {
		err = fmt.Errorf("%s has no MemTotal", e.proc("meminfo"))
	}
	return 0, err
}

// lowest is the lowest number in the files of this name of the control groups that a process is in, and the name of its
// file; "" if there is no limit. It is an error if there may be one that this user cannot read.
func (e *examination) lowest(dir, controller, v2, v1 string) (lowest int64, name string, err error) {
	const none = 1 << 60 // Above it, version 1 means no limit.
	files, err := e.groupFiles(dir, controller, v2, v1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, "", err
	}
	for _, file := range files {
		n, err := number(file)
		if errors.Is(err, fs.ErrPermission) {
			return 0, "", err
		}
		if err == nil && n < none && (name == "" || int64(n) < lowest) {
			lowest, name = int64(n), filepath.Base(file)
		}
	}
	return lowest, name, nil
}

// groupFiles are the files of a controller for a process, its own group's first and the root's last.
func (e *examination) groupFiles(dir, controller, v2, v1 string) (files []string, err error) {
	rows, err := fields(e.proc(dir + "/cgroup"))
	for _, row := range rows {
		parts := strings.SplitN(row[0], ":", 3)
		if len(parts) != 3 {
			continue
		}
		base, file := "", v1
		switch {
		case parts[0] == "0" && parts[1] == "":
			base, file = filepath.Join(e.Sys, "fs/cgroup"), v2
		case slices.Contains(strings.Split(parts[1], ","), controller):
			base = filepath.Join(e.Sys, "fs/cgroup", controller)
		default:
			continue
		}
		for path := filepath.Clean("/" + parts[2]); ; path = filepath.Dir(path) {
			files = append(files, filepath.Join(base, path, file))
			if path == "/" {
				break
			}
		}
	}
	return files, err
}

// processorTime notes a share of less than one processor.
func (e *examination) processorTime() Row {
	dir, whose := e.process()
	share, limit := math.Inf(1), ""
	files, err := e.groupFiles(dir, "cpu", "cpu.max", "cpu.cfs_quota_us")
	if err != nil {
		return unreadable(err)
	}
	for _, file := range files {
		text, err := word(file)
		if errors.Is(err, fs.ErrPermission) {
			return unreadable(err)
		}
		if err != nil {
			continue
		}
		if filepath.Base(file) != "cpu.max" {
			period, _ := word(filepath.Join(filepath.Dir(file), "cpu.cfs_period_us"))
			text += " " + period
		}
		var quota, period float64
		if n, _ := fmt.Sscan(text, &quota, &period); n == 2 && quota > 0 && period > 0 && quota/period < share {
			share, limit = quota/period, filepath.Base(file)+"="+text
		}
	}
	switch {
	case share < 1:
		return Row{
			Status: Note, Measured: fmt.Sprintf("%s has %.2f of a processor; while it waits for its turn, datagrams wait in the receive buffer", whose, share),
			Limit: limit, Cure: "docker update --cpus 1 NAME # or CPUQuota= of the unit, or limits.cpu of the pod",
		}
	case limit == "":
		return Row{Status: OK, Measured: whose + " has no limit"}
	}
	return Row{Status: OK, Measured: fmt.Sprintf("%s has %.2f processors", whose, share), Limit: limit}
}

// rlimit is the soft and the hard limit of this name in /proc/PID/limits; -1: unlimited.
func (e *examination) rlimit(dir, name string) (soft, hard int64, err error) {
	path := e.proc(dir + "/limits")
	rows, err := fields(path)
	if err != nil {
		return 0, 0, err
	}
	words := strings.Fields(name)
	for _, row := range rows {
		if n := len(words); len(row) > n+1 && slices.Equal(row[:n], words) {
			return limitOf(row[n]), limitOf(row[n+1]), nil
		}
	}
	return 0, 0, fmt.Errorf("%s has no %q", path, name)
}

func limitOf(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1 // "unlimited"
	}
	return n
}

// leastFiles is how many open files the daemon wants: the journal's, its sockets, and those who ask for its status.
const leastFiles = 256

func (e *examination) openFiles() Row {
	dir, whose := e.process()
	_, hard, err := e.rlimit(dir, "Max open files") // The runtime raises the soft one to it.
	if err != nil {
		return unreadable(err)
	}
	r := Row{Status: OK, Measured: fmt.Sprintf("%s may open %s files", whose, limitText(hard)), Limit: fmt.Sprintf("at least %d", leastFiles)}
	if hard >= 0 && hard < leastFiles {
		r.Status, r.Cure = Warn, "ulimit -n 1024 # or LimitNOFILE=1024 of the unit, or docker run --ulimit nofile=1024"
	}
	return r
}

func limitText(n int64) string {
	if n < 0 {
		return "any number of"
	}
	return strconv.FormatInt(n, 10)
}

func (e *examination) fileSize() Row {
	dir, whose := e.process()
	soft, _, err := e.rlimit(dir, "Max file size")
	if err != nil {
		return unreadable(err)
	}
	if soft < 0 {
		return Row{Status: OK, Measured: whose + " may write files of any size"}
	}
	r := Row{
		Status: OK, Measured: fmt.Sprintf("%s may write files of %s", whose, bytesText(soft)),
		Limit: fmt.Sprintf("journal_max_size=%d", e.Journal.MaxBytes),
	}
	cure := fmt.Sprintf("ulimit -f unlimited # or LimitFSIZE=infinity of the unit, or JOURNAL_MAX_SIZE=%d", soft)
	switch {
	case e.Journal.MaxBytes == 0:
		r.Status, r.Cure = Warn, cure
	case soft < e.Journal.MaxBytes:
		r.Status, r.Cure = Fail, cure
	}
	return r
}
