package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// validate returns a fault for each value that could be read but is out of its range.
func (l *loader) validate() Faults {
	c, check := l.Config, checker{l: l}
	check.that("journal_dir", c.JournalDir != "", "give a directory")
	check.that("journal_file", isPlainName(c.JournalFile),
		"give a file name without a directory that does not start with a dot")
	check.that("journal_max_size", c.JournalMaxSize >= 0, "give 0 (no limit) or more")
	check.that("journal_max_backups", c.JournalMaxBackups >= 0, "give 0 (keep all) or more")
	check.limits()
	check.oneOf("journal_compress", c.JournalCompress, "none", "gzip", "zstd")
	check.that("journal_buffer_size", c.JournalBufferSize >= MiB, "give 1MiB or more")
	check.oneOf("journal_invalid", c.JournalInvalid, "keep", "drop")
	check.that("journal_file_mode", isMode(c.JournalFileMode, 0o600),
		"give permission bits that let the owner read and write")
	check.that("journal_dir_mode", isMode(c.JournalDirMode, 0o700),
		"give permission bits that let the owner read, write and enter")
	check.that("listen_addr", len(c.ListenAddr) > 0 && !slices.ContainsFunc(c.ListenAddr, isNoAddress),
		"give host:port or :port, a list with commas")
	check.between("listen_buffer", c.ListenBuffer, 4*KiB, GiB)
	check.between("max_message_size", c.MaxMessageSize, KiB, 64*MiB)
	check.that("allow_from", !slices.ContainsFunc(c.AllowFrom, isNoNetwork), "give addresses or networks, a list with commas")
	check.that("rate_limit", c.RateLimit >= 0 && c.RateLimit <= 1e9, "give 0 (no limit) to 1000000000 a second")
	check.that("dedup_window", c.DedupWindow >= 0, "give 0 (off) or a duration")
	check.that("http_addr", c.HTTPAddr == "" || c.HTTPAddr == "off" || !isNoAddress(c.HTTPAddr), "give host:port, or off")
	check.oneOf("log_level", c.LogLevel, "debug", "info", "warn", "error")
	check.oneOf("log_format", c.LogFormat, "auto", "json", "console")
	check.that("log_max_size", c.LogMaxSize >= MiB, "give 1MiB or more")
	check.that("log_max_backups", c.LogMaxBackups >= 0, "give 0 (keep all) or more")
	check.that("shutdown_timeout", c.ShutdownTimeout > 0, "give a duration above 0")
	return check.faults
}

// limits checks those on backups, which must leave room for what a rotation makes.
func (c *checker) limits() {
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

// checker gathers the faults of one configuration. A value that could not even be read has its fault already, and is
// still its default, which passes.
type checker struct {
	l      *loader
	faults Faults
}

func (c *checker) that(key string, ok bool, problem string) {
	if ok {
		return
	}
	k, _ := keyNamed(key)
	given := given{k.Text(c.l.Config), c.l.Origins[key]}
	c.faults = append(c.faults, k.fault(given, problem))
}

func (c *checker) oneOf(key, value string, allowed ...string) {
	problem := "give " + strings.Join(allowed, " or ")
	if near := Nearest(value, allowed); near != "" {
		problem = "did you mean " + near + "? " + problem
	}
	c.that(key, slices.Contains(allowed, value), problem)
}

func (c *checker) between(key string, value, least, most Size) {
	c.that(key, value >= least && value <= most, fmt.Sprintf("give %v to %v", least, most))
}

func isPlainName(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsAny(name, "/\\\x00\n")
}

func isMode(m, least Mode) bool { return m <= 0o777 && m&least == least }

// isNoAddress reports whether addr is not host:port with a port number. Whether the host exists shows when it is bound.
func isNoAddress(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return true
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err != nil
}

func isNoNetwork(text string) bool {
	_, err := ParseNetwork(text)
	return err != nil
}

// ParseNetwork reads an item of allow_from: an address, or a network such as 10.0.0.0/8.
func ParseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}
