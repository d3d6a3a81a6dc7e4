package main

import (
	"regexp"
	"strings"
	"time"
)

// What git describes: a tag, perhaps with the number of commits since and the last one's hash.
var described = regexp.MustCompile(`^v?(\d[\w.~+-]*?)(?:-(\d+)-g([0-9a-f]+))?(-dirty)?$`)

// A hash, which is what git describes without a tag, may begin with a digit too.
var hashOnly = regexp.MustCompile(`^[0-9a-f]{7,40}(-dirty)?$`)

// packageVersion turns the version of the source into one that dpkg and rpm take and order alike: a candidate comes before
// its release (1.2.0~rc1), what was built after a release behind it (1.2.0+4.gabcdef), and what has no release before
// all that have, ordered by time.
func packageVersion(version string, at time.Time) string {
	m := described.FindStringSubmatch(version)
	if m == nil || hashOnly.MatchString(version) {
		return "0~git" + at.Format("20060102150405") + "." + lettersOnly(version)
	}
	made := strings.ReplaceAll(m[1], "-", "~")
	if m[2] != "" {
		made += "+" + m[2] + ".g" + m[3]
	}
	if m[4] != "" {
		made += "+dirty"
	}
	return made
}

// lettersOnly leaves of a text what may stand in every version.
func lettersOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '.'
	}, s)
}
