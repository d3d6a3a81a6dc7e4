package forward

import "io/fs"

// inodeOf knows of none here.
func inodeOf(fs.FileInfo) uint64 { return 0 }
