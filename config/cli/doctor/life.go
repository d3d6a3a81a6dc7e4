package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Life is where the daemon keeps when it listened, and what stands there.
type Life struct {
	Path string
	Err  error     // why it cannot be read
	Last time.Time // the last sign of life; zero: there is none
}

// lifeFresh is how old the last sign of a daemon that lives may be. It gives one a second, as long as it writes.
const lifeFresh = 10 * time.Second

// life looks whether a reader can tell a host that was silent from a daemon that was deaf.
func (e *examination) life() Row {
	if e.Journal.Life == nil {
		return skip("there is no way to look")
	}
	l, d := e.Journal.Life(), e.daemon()
	const matters = "without it, hosts that were not heard may be taken for silent"
	info, err := os.Lstat(l.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !d.Running:
		return Row{Status: OK, Measured: l.Path + " is made at the start"}
	case errors.Is(err, fs.ErrNotExist):
		return Row{Status: Warn, Measured: l.Path + " is missing: " + matters, Cure: "hbjournal doctor --only disk # then restart the daemon, which makes it"}
	case err != nil:
		return Row{Status: Warn, Measured: fmt.Sprintf("uid %d: %v", e.UID, err), Limit: matters, Cure: e.asRoot("namei -l " + Quoted(l.Path))}
	case !info.Mode().IsRegular():
		return Row{Status: Warn, Measured: fmt.Sprintf("%s is no regular file: %v", l.Path, info.Mode()), Limit: matters, Cure: fmt.Sprintf("mv %s %s # then restart the daemon", Quoted(l.Path), Quoted(l.Path+".aside"))}
	case l.Err != nil:
		return Row{Status: Warn, Measured: fmt.Sprintf("uid %d: %s", e.UID, oneLine(l.Err.Error())), Limit: matters, Cure: e.asRoot("ls -l " + Quoted(l.Path))}
	case !d.Running:
		return e.lifeAtRest(l)
	case l.Last.IsZero():
		return Row{Status: Warn, Measured: l.Path + " holds no sign of life that is whole: " + matters, Cure: fmt.Sprintf("mv %s %s # then restart the daemon", Quoted(l.Path), Quoted(l.Path+".aside"))}
	}
	age := e.Now().Sub(l.Last)
	if age > lifeFresh || age < -lifeFresh {
		return Row{
			Status: Warn, Measured: fmt.Sprintf("the last sign of life is of %s, which is not now: hosts are unknown since", l.Last.UTC().Format(time.RFC3339)),
			Limit: lifeFresh.String(), Cure: "hbjournal doctor --only daemon,disk,clock # the daemon gives none while it cannot write",
		}
	}
	return Row{Status: OK, Measured: fmt.Sprintf("the last sign of life is %v old", max(age, 0).Round(time.Millisecond)), Limit: lifeFresh.String()}
}

// lifeAtRest looks whether the next daemon can go on with the file.
func (e *examination) lifeAtRest(l Life) Row {
	file, err := os.OpenFile(l.Path, os.O_WRONLY, 0)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return Row{Status: Note, Measured: fmt.Sprintf("uid %d: %v", e.UID, err), Cure: e.asRoot(fmt.Sprintf("chown %d %s", e.UID, Quoted(l.Path)))}
	}
	if l.Last.IsZero() {
		return Row{Status: OK, Measured: "no sign of life yet, and no daemon that would give one"}
	}
	return Row{Status: OK, Measured: "the last daemon listened until " + l.Last.UTC().Format(time.RFC3339)}
}
