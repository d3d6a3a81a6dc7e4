package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Versions of the packages: both architectures of the first, and one of a later one to upgrade to.
const laterVersion = "1.3.0"

var packages = sync.OnceValues(func() (string, error) {
	if _, err := artifacts(); err != nil { // Both at once would compile the same things twice.
		return "", err
	}
	return makePackages(filepath.Join(work, "packages"), version, nil)
})

var laterPackages = sync.OnceValues(func() (string, error) {
	if _, err := packages(); err != nil {
		return "", err
	}
	return makePackages(filepath.Join(work, "later"), laterVersion, nil, "--arch", runtime.GOARCH)
})

// makePackages copies the source below dir and has scripts/package make packages of it there.
func makePackages(dir, version string, environ []string, args ...string) (out string, err error) {
	return makeFromSource(dir, "./scripts/package", version, environ, args...)
}

// packed returns the path of a package by its name.
func packed(t *testing.T, made func() (string, error), name string) string {
	t.Helper()
	dir, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// rpmArch is what rpm calls an architecture.
var rpmArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// The packages for this machine.
func firstDeb(t *testing.T) string {
	return packed(t, packages, "hbjournal_"+version+"_"+runtime.GOARCH+".deb")
}

func laterDeb(t *testing.T) string {
	return packed(t, laterPackages, "hbjournal_"+laterVersion+"_"+runtime.GOARCH+".deb")
}

func firstRPM(t *testing.T) string {
	return packed(t, packages, "hbjournal-"+version+"-1."+rpmArch[runtime.GOARCH]+".rpm")
}

func laterRPM(t *testing.T) string {
	return packed(t, laterPackages, "hbjournal-"+laterVersion+"-1."+rpmArch[runtime.GOARCH]+".rpm")
}

func TestPackagesAreTheSameToTheByteWhereverTheyAreMade(t *testing.T) {
	t.Parallel()
	firstDeb(t) // So that what it compiles is compiled already.
	again, err := makePackages(filepath.Join(t.TempDir(), "some/where else"), version,
		append(otherHome(t), "TZ=Asia/Tokyo", "LC_ALL=C", "GOFLAGS=-mod=mod", "CGO_ENABLED=1", "JOURNAL_DIR=/elsewhere"), "--arch", runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	for _, first := range []string{firstDeb(t), firstRPM(t)} {
		second := filepath.Join(again, filepath.Base(first))
		if !bytes.Equal(read(t, filepath.Dir(first), filepath.Base(first)), read(t, again, filepath.Base(second))) {
			t.Errorf("%s: got other bytes from another place, want the same", filepath.Base(first))
		}
	}
}

// otherHome are the variables of another home directory, with the caches of Go in their old place.
func otherHome(t *testing.T) []string {
	t.Helper()
	environ := []string{"HOME=" + t.TempDir()}
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		environ = append(environ, name+"="+strings.TrimSpace(output(t, "go", "env", name)))
	}
	return environ
}

// wantFiles are what both forms hold, but for the pages of the manual, and what one of them has alone.
const wantFiles = `/etc/hbjournal/archive.yaml
/etc/hbjournal/hb.yaml
/etc/hbjournal/hbjournal.env
/usr/bin/hbjournal
/usr/lib/systemd/system/hbjournal-archive.service
/usr/lib/systemd/system/hbjournal-web.service
/usr/lib/systemd/system/hbjournal.service
/usr/lib/systemd/system/hbjournal.socket
/usr/lib/sysusers.d/hbjournal.conf
/usr/lib/tmpfiles.d/hbjournal.conf
/usr/share/bash-completion/completions/hbjournal
/usr/share/doc/hbjournal/README.md
/usr/share/doc/hbjournal/changelog.gz
/usr/share/doc/hbjournal/copyright
/usr/share/doc/hbjournal/deploy.md
/usr/share/doc/hbjournal/examples/compose/fleet/admin.password
/usr/share/doc/hbjournal/examples/compose/fleet/archiver.password
/usr/share/doc/hbjournal/examples/compose/fleet/fleet.yaml
/usr/share/doc/hbjournal/examples/compose/fleet/nats.conf
/usr/share/doc/hbjournal/examples/compose/fleet/one.password
/usr/share/doc/hbjournal/examples/compose/fleet/two.password
/usr/share/doc/hbjournal/examples/compose/host-network.yaml
/usr/share/doc/hbjournal/examples/compose/published-port.yaml
/usr/share/doc/hbjournal/examples/kubernetes/central/kustomization.yaml
/usr/share/doc/hbjournal/examples/kubernetes/central/namespace.yaml
/usr/share/doc/hbjournal/examples/kubernetes/central/service.yaml
/usr/share/doc/hbjournal/examples/kubernetes/central/statefulset.yaml
/usr/share/doc/hbjournal/examples/kubernetes/fleet/archive.yaml
/usr/share/doc/hbjournal/examples/kubernetes/fleet/init.yaml
/usr/share/doc/hbjournal/examples/kubernetes/fleet/kustomization.yaml
/usr/share/doc/hbjournal/examples/kubernetes/fleet/namespace.yaml
/usr/share/doc/hbjournal/examples/kubernetes/fleet/nats.conf
/usr/share/doc/hbjournal/examples/kubernetes/fleet/nats.yaml
/usr/share/doc/hbjournal/examples/kubernetes/fleet/receiver.yaml
/usr/share/doc/hbjournal/examples/kubernetes/node/daemonset.yaml
/usr/share/doc/hbjournal/examples/kubernetes/node/kustomization.yaml
/usr/share/doc/hbjournal/examples/kubernetes/node/namespace.yaml
/usr/share/doc/hbjournal/examples/logrotate
/usr/share/doc/hbjournal/hbjournal.cdx.json
/usr/share/doc/hbjournal/notices.gz
/usr/share/fish/vendor_completions.d/hbjournal.fish
/usr/share/hbjournal/grafana/hbjournal.json
/usr/share/hbjournal/lnav/hbjournal.json
/usr/share/hbjournal/prometheus/hbjournal.rules.yaml
`

func TestPackagesHoldTheseFilesAndNoOther(t *testing.T) {
	t.Parallel()
	pages := t.TempDir()
	output(t, programHere(t), "man", "--dir", pages)
	files := strings.Fields(wantFiles)
	for _, page := range listDir(t, pages) {
		files = append(files, "/usr/share/man/man1/"+page+".gz")
	}
	check := func(name string, got []string, alone ...string) {
		t.Helper()
		want := slices.Sorted(slices.Values(append(alone, files...)))
		if !slices.Equal(got, want) {
			t.Errorf("%s: got files\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for _, arch := range archs {
		t.Run(arch, func(t *testing.T) {
			if _, err := exec.LookPath("dpkg-deb"); err == nil {
				deb := packed(t, packages, "hbjournal_1.2.3_"+arch+".deb")
				check("deb", debFiles(t, deb), "/usr/share/zsh/vendor-completions/_hbjournal", "/usr/share/lintian/overrides/hbjournal")
			}
			if _, err := exec.LookPath("rpm"); err == nil {
				rpm := packed(t, packages, "hbjournal-1.2.3-1."+rpmArch[arch]+".rpm")
				check("rpm", rpmFiles(t, rpm), "/usr/share/zsh/site-functions/_hbjournal")
			}
		})
	}
}

// debFiles lists the files, all of which must be root's, and none of which others may write.
func debFiles(t *testing.T, deb string) []string {
	t.Helper()
	var files []string
	for line := range strings.Lines(output(t, "dpkg-deb", "--contents", deb)) {
		fields := strings.Fields(line)
		if fields[1] != "root/root" || !slices.Contains([]string{"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"}, fields[0]) {
			t.Errorf("got %s", line)
		}
		if name := strings.TrimPrefix(fields[len(fields)-1], "."); !strings.HasSuffix(name, "/") {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return files
}

func rpmFiles(t *testing.T, rpm string) []string {
	t.Helper()
	var files []string
	for line := range strings.Lines(output(t, "rpm", "-qp", "--queryformat", "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES}\n]", rpm)) {
		fields := strings.Fields(line)
		if !slices.Contains([]string{"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"}, fields[0]) || fields[1] != "root" || fields[2] != "root" {
			t.Errorf("got %s", line)
		}
		if fields[0][0] != 'd' {
			files = append(files, fields[3])
		}
	}
	slices.Sort(files)
	if listed := strings.Fields(output(t, "rpm", "-qpl", rpm)); !slices.Contains(listed, "/usr/share/hbjournal/lnav") {
		t.Errorf("got %v, want the directories too that only files of ours are in", listed)
	}
	return files
}

func TestSettingsAreTheAdministratorsOnceTheyAreThere(t *testing.T) {
	t.Parallel()
	want := "/etc/hbjournal/archive.yaml\n/etc/hbjournal/hb.yaml\n/etc/hbjournal/hbjournal.env\n"
	if _, err := exec.LookPath("rpm"); err == nil {
		if got := output(t, "rpm", "-qp", "--configfiles", firstRPM(t)); got != want {
			t.Errorf("got rpm's configuration files\n%swant\n%s", got, want)
		}
	}
	need(t, "dpkg-deb")
	if got := output(t, "dpkg-deb", "--info", firstDeb(t), "conffiles"); got != want {
		t.Errorf("got dpkg's conffiles\n%swant\n%s", got, want)
	}
}

// TestLintianFindsOnlyWhatHasAReason: what the overrides name, each with its reason, and nothing else, nor more overrides
// than needed.
func TestLintianFindsOnlyWhatHasAReason(t *testing.T) {
	t.Parallel()
	need(t, "lintian")
	out, err := try(t.Context(), "lintian", "--display-info", "--tag-display-limit", "0", "--allow-root", firstDeb(t))
	if found := regexp.MustCompile(`(?m)^[EWIXP]: .*`).FindAllString(out, -1); len(found) > 0 || err != nil {
		t.Errorf("got %v:\n%s", err, out)
	}
	overrides := string(read(t, repoRoot, "scripts/deploy/package/lintian-overrides"))
	for block := range strings.SplitSeq(overrides, "\n#") {
		if reason, tags, _ := strings.Cut(block, "\n"); len(reason) < 30 || tags == "" {
			t.Errorf("got %q, want a reason and what it is for", block)
		}
	}
}

func TestScriptsOfThePackagesAreSoundShell(t *testing.T) {
	t.Parallel()
	need(t, "shellcheck")
	scripts, err := filepath.Glob(filepath.Join(repoRoot, "scripts/deploy/package/*.sh"))
	if err != nil || len(scripts) != 3 {
		t.Fatalf("got %v (%v), want three scripts", scripts, err)
	}
	output(t, "shellcheck", scripts...)
}

// TestPackagesTellTheLicencesOfWhatIsLinkedIn: which many of them ask for.
func TestPackagesTellTheLicencesOfWhatIsLinkedIn(t *testing.T) {
	t.Parallel()
	need(t, "dpkg-deb")
	root := t.TempDir()
	output(t, "dpkg-deb", "--extract", firstDeb(t), root)
	notices := output(t, "gzip", "-dc", root+"/usr/share/doc/hbjournal/notices.gz")
	var parts struct {
		Components []struct{ Name, Version string }
	}
	decode(t, read(t, root, "usr/share/doc/hbjournal/hbjournal.cdx.json"), &parts)
	if len(parts.Components) == 0 {
		t.Fatal("got no modules, want those that the program is made of")
	}
	for _, c := range parts.Components {
		if !strings.Contains(notices, "==== "+c.Name+" "+c.Version+": ") {
			t.Errorf("got no licence of %s %s", c.Name, c.Version)
		}
	}
}

func listDir(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
