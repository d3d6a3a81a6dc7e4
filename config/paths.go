package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The values of the tag path: what the text of a setting names.
const (
	pathDir  = "dir"
	pathFile = "file"
	pathName = "name" // of a file, without a directory

	pathItems = "items" // of a list, each of which may be the path of a file
)

// What stands in a path because nothing has put the value there that is meant.
var (
	variable = regexp.MustCompile(`\$[A-Za-z_{(]|\{\{|^%[A-Za-z]/|%[A-Za-z_]+%`)
	url      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+://`)
	windows  = regexp.MustCompile(`^[A-Za-z]:[\\/]`)
)

// oddPath returns why a path cannot be meant as it stands, or "". It is refused rather than made, because what is
// written to the wrong place is as good as lost.
func oddPath(path string) string {
	if i := strings.IndexFunc(path, unicode.IsControl); i >= 0 {
		r, _ := utf8.DecodeRuneInString(path[i:])
		return fmt.Sprintf("holds %s, which is not printable", charName(r))
	}
	first, _ := utf8.DecodeRuneInString(path)
	last, _ := utf8.DecodeLastRuneInString(path)
	switch {
	case path == "":
		return ""
	case isBlank(first) || isBlank(last):
		return "has white space around it, which belongs to the value here"
	case variable.MatchString(path):
		return "holds a variable, and none is filled in here: write the path out"
	case url.MatchString(path):
		return "is a URL, not a path"
	case runtime.GOOS != "windows" && windows.MatchString(path):
		return "is a path of Windows, and this is " + runtime.GOOS
	}
	return ""
}

// isBlank reports whether a character at either end of a path cannot be seen.
func isBlank(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

// withHome returns the path with a leading ~/ replaced by the home directory, as a shell does. The shell is not there
// to do it when a path comes from a file, a variable or --flag=~/path.
func withHome(path string, environ map[string]string) (string, error) {
	rest, tilde := strings.CutPrefix(path, "~")
	switch {
	case !tilde:
		return path, nil
	case rest != "" && !os.IsPathSeparator(rest[0]):
		return "", errors.New("begins with ~ and a name, and homes of others are not looked up: write the path out")
	case !filepath.IsAbs(environ["HOME"]):
		return "", fmt.Errorf("begins with ~, and HOME, which is %q, says no directory to put there: write the path out", environ["HOME"])
	}
	return filepath.Join(environ["HOME"], rest), nil
}

// stamped matches the name of a backup, which the journal of the rest of the name would take for its own and remove.
var stamped = regexp.MustCompile(`\.[0-9]{8}-[0-9]{6}(\.gz|\.zst|\.age)*$`)

// Lengths of file names, in bytes.
const (
	longestName  = 255
	longestLive  = longestName - len("..d")                                // of a live file that can have its state directory
	longestFresh = longestName - len(".20060102-150405") - len(".zst.age") // of one all of whose backups can be made
)

// checkFileName checks journal_file. Backups have longer names than it has, and without one there is no rotation.
func (c checker) checkFileName() {
	cfg := c.l.Config
	length := len(cfg.JournalFile)
	c.that("journal_file", isPlainName(cfg.JournalFile),
		"give a file name without a directory that does not start with a dot")
	c.that("journal_file", !stamped.MatchString(cfg.JournalFile),
		"is the name of a backup, which another journal would remove as its own; give one without a time at its end")
	c.that("journal_file", length <= longestLive, fmt.Sprintf("is %d bytes long, too long for a file; give %d bytes or less", length, longestFresh))
	c.warn("journal_file", length <= longestFresh || length > longestLive, fmt.Sprintf(
		"is %d bytes long, so that the longer names of its backups cannot all be made: it may never rotate; give %d bytes or less", length, longestFresh,
	))
	c.warn("journal_dir", filepath.Base(cfg.JournalDir) != cfg.JournalFile,
		"ends in the name of journal_file: the journal will be "+filepath.Join(cfg.JournalDir, cfg.JournalFile))
}

func isPlainName(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsAny(name, "/\\\x00\n")
}
