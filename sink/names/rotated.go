package names

import (
	"cmp"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// compressions are the endings of compressed and encrypted files, whether we can read them or must say that we cannot.
const compressions = "gz|bz2|xz|zst|lz4|age|gzip|bzip2|zstd|lzma|lzo|lz|sz|br|zip|7z|Z"

// What programs that rotate and compress put behind a name, as regular expressions.
const (
	compression = `\.(?:` + compressions + `)`
	// date is one number, date or time: .1 -20240320 -20240320-14 .2024-03-20 -1711000000 -2024-W12 -2024-03-20T14:00:00Z.
	date = `[-._]W?[0-9][0-9:TWZ]*`
	// rotation is one step of them, since a pattern may catch its own files again: .1.gz.1.
	rotation = date + `|` + compression
)

var (
	rotated  = regexp.MustCompile(`^(?:` + rotation + `)+$`)
	onlyDate = regexp.MustCompile(`^(?:` + date + `)+$`)
	digits   = regexp.MustCompile(`[0-9]`)

	compressionEndings = strings.Split(compressions, "|")
)

// IsRotated reports whether name is one that another program has given a former live file of base, or a copy of it:
// logrotate with numbers (.1, .2.gz), dates (-20240320) or a dateformat of its own, with "extension" if that is a date
// (messages-20240320.journal), or a program that compressed it (.gz). It says nothing of backups. What has such a name is read,
// and is nothing that we may remove.
func IsRotated(base, name string) bool {
	if rest, ok := strings.CutPrefix(name, base); ok {
		return rotated.MatchString(rest)
	}
	const ofDate = 8 // digits at least
	extension := filepath.Ext(base)
	rest, ok := strings.CutPrefix(Uncompressed(name), strings.TrimSuffix(base, extension))
	if rest, isNamed := strings.CutSuffix(rest, extension); ok && isNamed && extension != "" && extension != base {
		return onlyDate.MatchString(rest) && len(digits.FindAllString(rest, -1)) >= ofDate
	}
	return false
}

// Uncompressed is path without the endings of compressed files.
func Uncompressed(path string) string {
	for {
		dot := strings.LastIndexByte(path, '.')
		if dot <= 0 || !slices.Contains(compressionEndings, path[dot+1:]) {
			return path
		}
		path = path[:dot]
	}
}

// CompareRotated orders the names that IsRotated takes by what logrotate means with them: the higher number is older, the
// earlier date is, and of one file the plain one comes before its copies.
func CompareRotated(a, b string) int {
	ka, kb := Uncompressed(a), Uncompressed(b)
	return cmp.Or(cmp.Compare(numberOf(kb), numberOf(ka)), strings.Compare(ka, kb), cmp.Compare(len(a), len(b)),
		strings.Compare(a, b))
}

// numberOf is logrotate's number at the end of a name; 0: there is none. More than six digits are a date.
func numberOf(name string) int {
	const most = 6
	number := name[strings.LastIndexByte(name, '.')+1:]
	n, err := strconv.Atoi(number)
	if err != nil || len(number) > most {
		return 0
	}
	return n
}
