package receivers

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// packages are those that are unpacked, with the libraries that a machine without them may lack.
var packages = []string{"syslog-ng-core", "libivykis0", "libnet1", "libpcre3", "libwrap0", "rsyslog-gnutls"}

// unpacked is the directory that Debian's packages which cannot be installed are unpacked in: syslog-ng, which excludes
// rsyslog, with its libraries, and rsyslog's drivers for TLS. It is a cache.
var unpacked = sync.OnceValues(func() (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, "debian-"+strings.Join(packages, "-"))
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	dir, err := os.MkdirTemp(cache, "debian-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	get := append([]string{"download"}, packages...)
	if err := command(dir, "apt-get", get...); err != nil { // Nobody has fetched the lists of packages yet, or they are old.
		update := []string{"sudo", "-n", "apt-get", "update", "-qq"}
		if os.Geteuid() == 0 {
			update = update[2:]
		}
		updated := command(dir, update[0], update[1:]...)
		if err := command(dir, "apt-get", get...); err != nil {
			return "", errors.Join(err, updated)
		}
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return "", err
	}
	made := filepath.Join(dir, "root")
	for _, deb := range debs {
		if err := command(dir, "dpkg", "-x", deb, made); err != nil {
			return "", err
		}
	}
	if err := os.Rename(made, root); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return root, nil
})

// libraries are the directories of shared libraries of this machine's kind, usr/lib/x86_64-linux-gnu and lib/x86_64-linux-gnu,
// with a colon between.
func libraries(t testing.TB, root string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "usr/lib/*/libivykis.so.0"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no libivykis under %s: %v", root, err)
	}
	dir := filepath.Dir(found[0])
	return dir + ":" + filepath.Join(root, "lib", filepath.Base(dir))
}

// unpackedRoot is unpacked for a test. Where there is no apt, or no network, it skips.
func unpackedRoot(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("apt-get is missing")
	}
	root, err := unpacked()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// rsyslogd is the daemon of Debian's package, which has to be installed.
func rsyslogd(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"rsyslogd", "/usr/sbin/rsyslogd"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("rsyslogd is missing: install the package rsyslog")
	return ""
}

// linesOf are the lines of a file; none if it is not there yet.
func linesOf(t testing.TB, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return linesIn(text)
}

func linesIn(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
