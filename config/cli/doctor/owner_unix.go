//go:build unix

package doctor

import (
	"io/fs"
	"syscall"
)

// errQuota is the error of a disk on which this user may have no more.
const errQuota = syscall.EDQUOT

// ownerOf is the uid that a file belongs to.
func ownerOf(info fs.FileInfo) (uid int, known bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}
