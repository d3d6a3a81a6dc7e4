//go:build unix

package seal

import "io/fs"

// worldReadable reports whether everybody may read the file. Its group may: secrets are mounted like that into containers.
func worldReadable(info fs.FileInfo) bool { return info.Mode().Perm()&0o007 != 0 }
