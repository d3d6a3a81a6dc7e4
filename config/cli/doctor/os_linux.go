package doctor

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// readClock asks the kernel how well its clock is kept. It needs no privilege, but some containers forbid it.
func readClock() (kernelClock, error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return kernelClock{}, os.NewSyscallError("adjtimex", err)
	}
	const unsynchronised = 5 // TIME_ERROR
	return kernelClock{
		synchronised: state != unsynchronised && t.Status&unix.STA_UNSYNC == 0,
		maxError:     time.Duration(t.Maxerror) * time.Microsecond,
	}, nil
}

// syncData makes what was written to a file safe.
func syncData(file *os.File) error {
	return os.NewSyscallError("fdatasync", unix.Fdatasync(int(file.Fd())))
}
