//go:build !linux

package rotate

import "os"

// overwriteInPlace does nothing: there is no way to ask for it.
func overwriteInPlace(*os.File) {}
