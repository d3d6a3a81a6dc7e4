package config

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// validate notes a fault for each value that could be read but is out of its range, and a warning for one that is in it
// and hardly meant.
func (l *loader) validate() {
	c, check := l.Config, checker{l}
	check.that("journal_dir", c.JournalDir != "", "give a directory")
	check.checkFileName()
	check.that("journal_max_size", c.JournalMaxSize >= 0, "give 0 (no limit) or more")
	check.that("journal_max_backups", c.JournalMaxBackups >= 0, "give 0 (keep all) or more")
	check.limits()
	check.small()
	check.that("journal_buffer_size", c.JournalBufferSize >= MiB, "give 1MiB or more")
	check.oneOf("journal_compress", "journal_invalid", "log_level", "log_format")
	check.zone()
	check.that("journal_file_mode", isMode(c.JournalFileMode, 0o600),
		"give permission bits that let the owner read and write")
	check.that("journal_dir_mode", isMode(c.JournalDirMode, 0o700),
		"give permission bits that let the owner read, write and enter")
	check.seal()
	check.that("listen_addr", len(c.ListenAddr) > 0 && !slices.ContainsFunc(c.ListenAddr, isNoAddress),
		"give host:port or :port, a list with commas")
	check.that("forward_hold", c.ForwardHold >= 0, "give 0 (outputs keep nothing) or more")
	check.that("receiver_name", c.ReceiverName == "" || isReceiver.MatchString(c.ReceiverName), "give 1 to 63 of a-z, 0-9, _ and -")
	check.that("archiver_name", c.ArchiverName == "" || isReceiver.MatchString(c.ArchiverName), "give 1 to 63 of a-z, 0-9, _ and -")
	check.between("listen_buffer", c.ListenBuffer, 4*KiB, GiB)
	check.between("max_message_size", c.MaxMessageSize, KiB, 64*MiB)
	check.that("rate_limit", c.RateLimit >= 0 && c.RateLimit <= 1e9, "give 0 (no limit) to 1000000000 a second")
	check.that("dedup_window", c.DedupWindow >= 0, "give 0 (off) or a duration")
	check.that("http_addr", c.HTTPAddr == "" || c.HTTPAddr == "off" || !isNoAddress(c.HTTPAddr), "give host:port, or off")
	check.that("web_addr", !isNoAddress(c.WebAddr), "give host:port")
	check.that("log_max_size", c.LogMaxSize >= MiB, "give 1MiB or more")
	check.that("log_max_backups", c.LogMaxBackups >= 0, "give 0 (keep all) or more")
	check.that("shutdown_timeout", c.ShutdownTimeout > 0, "give a duration above 0")
}

// limits checks those on backups, which must leave room for what a rotation makes.
func (c checker) limits() {
	cfg := c.l.Config
	c.that("journal_max_age", cfg.JournalMaxAge >= 0, "give 0 (any age) or more")
	c.that("journal_min_free", cfg.JournalMinFree >= 0, "give 0 (nothing) or more")
	total, file := cfg.JournalMaxTotalSize, cfg.JournalMaxSize
	c.that("journal_max_total_size", total >= 0, "give 0 (no limit) or more")
	c.that("journal_max_total_size", total <= 0 || file <= 0 || total >= file,
		fmt.Sprintf("is less than the one file that journal_max_size=%v allows, so no backup could be kept; give more", file))
	c.that("journal_max_total_size", total <= 0 || file != 0 || cfg.JournalRotateEvery != 0,
		"cannot be kept by one file without a limit: journal_max_size=0 and journal_rotate_every=off; set one of them")
	c.that("journal_max_age", cfg.JournalMaxAge <= 0 || file != 0 || cfg.JournalRotateEvery != 0,
		"is the age of backups, and there are none: journal_max_size=0 and journal_rotate_every=off; set one of them")
}

// seal checks where checkpoints go.
func (c checker) seal() {
	cfg := c.l.Config
	for _, to := range cfg.JournalCheckpointsTo {
		known := !url.MatchString(to) || strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "https://")
		c.that("journal_checkpoints_to", known, fmt.Sprintf("%q is neither a path nor a URL of http or https", to))
	}
}

// small checks what keeps next to nothing: a number that was meant in MB, or months.
func (c checker) small() {
	cfg := c.l.Config
	const least = 64 * KiB
	c.warn("journal_max_size", cfg.JournalMaxSize == 0 || cfg.JournalMaxSize >= least,
		fmt.Sprintf("is %d bytes, so that files hold few messages and most are soon removed with old backups; MB and MiB are units",
			cfg.JournalMaxSize))
	c.warn("journal_max_total_size", cfg.JournalMaxTotalSize == 0 || cfg.JournalMaxTotalSize >= least,
		fmt.Sprintf("is %d bytes, so that all but the last few messages are removed; MB and MiB are units",
			cfg.JournalMaxTotalSize))
	c.warn("journal_max_age", cfg.JournalMaxAge == 0 || cfg.JournalMaxAge >= Duration(time.Hour),
		"is less than an hour, after which backups are removed; s is for seconds and m for minutes, days are d")
}

// checker notes the faults of one configuration. A value that could not even be read has its fault already, and is
// still its default, which passes.
type checker struct{ l *loader }

func (c checker) that(key string, ok bool, problem string) {
	if ok {
		return
	}
	k, _ := keyNamed(key)
	c.l.faults = append(c.l.faults, k.fault(c.l.inEffect(k), problem))
}

// warn is for what can be meant, but seldom is.
func (c checker) warn(key string, ok bool, text string) {
	if ok {
		return
	}
	k, _ := keyNamed(key)
	v := c.l.inEffect(k)
	c.l.warn(Fault{Key: key, Origin: v.origin, Value: v.text, Problem: text}.String())
}

// oneOf checks settings that take their words and nothing else.
func (c checker) oneOf(names ...string) {
	for _, name := range names {
		k, _ := keyNamed(name)
		value := k.Text(c.l.Config)
		problem := "give " + strings.Join(k.Words, " or ")
		if near := Nearest(strings.ToLower(value), k.Words); near != "" {
			problem = "did you mean " + near + "? " + problem
		}
		c.that(name, slices.Contains(k.Words, value), problem)
	}
}

func (c checker) between(key string, value, least, most Size) {
	c.that(key, value >= least && value <= most, fmt.Sprintf("give %v to %v", least, most))
}

func isMode(m, least Mode) bool { return m <= 0o777 && m&least == least }

// isReceiver matches the names of receivers and archivers, which become parts of others.
var isReceiver = regexp.MustCompile(`^[a-z0-9_-]{1,63}$`)

// isNoAddress reports whether addr is not host:port with a port number. Whether the host exists shows when it is bound.
func isNoAddress(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return true
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err != nil
}
