package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// zone checks TZ, which journal_local_time goes by. Where Go does not know a zone it takes UTC, and says nothing.
func (c checker) zone() {
	if !c.l.Config.JournalLocalTime || runtime.GOOS == "windows" { // There Go asks the system, and not TZ.
		return
	}
	switch tz, set := c.l.src.Environ["TZ"]; {
	case tz != "":
		c.that("journal_local_time", isZone(tz), fmt.Sprintf("goes by TZ=%q, which is no zone that is known here, "+
			"so that all times would be in UTC; give TZ the name of a zone, such as Asia/Tokyo or Etc/GMT-9", tz))
	case !set: // Empty means UTC.
		c.warn("journal_local_time", isZone("/etc/localtime"),
			"goes by TZ, which is not set, and there is no /etc/localtime: all times will be in UTC")
	}
}

// utc matches the ways in which POSIX writes UTC. Go does not know them, and so takes UTC, which is right.
var utc = regexp.MustCompile(`^(UTC|GMT|<[+-]?0+>)[+-]?0{1,2}(:00){0,2}$`)

// isZone reports whether Go finds the zone that TZ names.
func isZone(tz string) bool {
	tz = strings.TrimPrefix(tz, ":")
	if filepath.IsAbs(tz) {
		data, err := os.ReadFile(tz)
		if err == nil {
			_, err = time.LoadLocationFromTZData(tz, data)
		}
		return err == nil
	}
	_, err := time.LoadLocation(tz)
	return err == nil && tz != "Local" || utc.MatchString(tz)
}
