package main

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// content is one file of a package, as nfpm reads it.
type content struct {
	Src  string   `json:"src,omitempty"`
	Dst  string   `json:"dst"`
	Type string   `json:"type,omitempty"`
	Info fileInfo `json:"file_info"`
}

type fileInfo struct {
	Owner string      `json:"owner"`
	Group string      `json:"group"`
	Mode  fs.FileMode `json:"mode"`
	MTime time.Time   `json:"mtime"`
}

// Places that both forms have in common.
const (
	docs     = "/usr/share/doc/hbjournal/"
	examples = docs + "examples/"
	shared   = "/usr/share/hbjournal/"
	settings = "/etc/hbjournal/"
)

// pair says where a file or directory comes from, and where it is installed.
type pair struct{ from, to string }

// installed are the files of the source that are installed as they are, all of a directory if the name is one.
var installed = []pair{
	{"README.md", docs + "README.md"},
	{"scripts/deploy/README.md", docs + "deploy.md"},
	{"scripts/deploy/systemd/hbjournal.service", "/usr/lib/systemd/system/hbjournal.service"},
	{"scripts/deploy/systemd/hbjournal-archive.service", "/usr/lib/systemd/system/hbjournal-archive.service"},
	{"scripts/deploy/systemd/hbjournal-web.service", "/usr/lib/systemd/system/hbjournal-web.service"},
	{"scripts/deploy/systemd/hbjournal.socket", "/usr/lib/systemd/system/hbjournal.socket"},
	{"scripts/deploy/systemd/hbjournal.sysusers.conf", "/usr/lib/sysusers.d/hbjournal.conf"},
	{"scripts/deploy/systemd/hbjournal.tmpfiles.conf", "/usr/lib/tmpfiles.d/hbjournal.conf"},
	{"scripts/deploy/prometheus/hbjournal.rules.yaml", shared + "prometheus/hbjournal.rules.yaml"},
	{"scripts/deploy/grafana", shared + "grafana"},
	{"scripts/deploy/lnav", shared + "lnav"},
	{"scripts/deploy/logrotate/hbjournal", examples + "logrotate"},
	{"scripts/deploy/compose", examples + "compose"},
	{"scripts/deploy/kubernetes", examples + "kubernetes"},
	{"scripts/deploy/package/archive.yaml", settings + "archive.yaml"},
	{"scripts/deploy/package/hbjournal.env", settings + "hbjournal.env"},
}

// contents are all files of a package.
func (p packaging) contents(form, arch string) ([]content, error) {
	pairs := slices.Clone(installed)
	for i := range pairs {
		pairs[i].from = filepath.Join(p.root, pairs[i].from)
	}
	for from, to := range map[string]string{
		"hbjournal-" + arch:               "/usr/bin/hbjournal",
		"hbjournal-" + arch + ".cdx.json": docs + "hbjournal.cdx.json",
		"notices-" + arch + ".gz":         docs + "notices.gz",
		"copyright":                       docs + "copyright",
		"changelog.gz":                    docs + "changelog.gz",
		"hb.yaml":                         settings + "hb.yaml",
		"man":                             "/usr/share/man/man1",
		"completion.bash":                 "/usr/share/bash-completion/completions/hbjournal",
		"completion.fish":                 "/usr/share/fish/vendor_completions.d/hbjournal.fish",
		"completion.zsh":                  zshDirectory(form) + "_hbjournal",
	} {
		pairs = append(pairs, pair{filepath.Join(p.work, from), to})
	}
	if form == "deb" {
		pairs = append(pairs, pair{filepath.Join(p.root, "scripts/deploy/package/lintian-overrides"), "/usr/share/lintian/overrides/hbjournal"})
	}
	return p.files(pairs)
}

// zshDirectory is where zsh looks for what packages bring.
func zshDirectory(form string) string {
	if form == "deb" {
		return "/usr/share/zsh/vendor-completions/"
	}
	return "/usr/share/zsh/site-functions/"
}

// files lists each file below the pairs, and the directories that are ours alone, in the order of their names.
func (p packaging) files(pairs []pair) ([]content, error) {
	var all []content
	for _, one := range pairs {
		err := filepath.WalkDir(one.from, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(one.from, path)
			all = append(all, content{Src: path, Dst: filepath.Join(one.to, rel)})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	all = append(all, ownDirectories(all)...)
	for i := range all {
		all[i].Info = fileInfo{Owner: "root", Group: "root", Mode: mode(all[i]), MTime: p.Time}
		if all[i].Type == "" && strings.HasPrefix(all[i].Dst, settings) {
			all[i].Type = "config|noreplace" // what the administrator has changed stays
		}
	}
	slices.SortFunc(all, func(a, b content) int { return strings.Compare(a.Dst, b.Dst) })
	return all, nil
}

// ownDirectories lists those that hold nothing but files of ours: rpm removes only directories that it knows.
func ownDirectories(files []content) (dirs []content) {
	seen := map[string]bool{}
	for _, file := range files {
		for dir := filepath.Dir(file.Dst) + "/"; isOurs(dir) && !seen[dir]; dir = filepath.Dir(filepath.Clean(dir)) + "/" {
			seen[dir] = true
			dirs = append(dirs, content{Dst: filepath.Clean(dir), Type: "dir"})
		}
	}
	return dirs
}

func isOurs(dir string) bool {
	return slices.ContainsFunc([]string{settings, docs, shared}, func(ours string) bool { return strings.HasPrefix(dir, ours) })
}

func mode(c content) fs.FileMode {
	if c.Type == "dir" || strings.HasPrefix(c.Dst, "/usr/bin/") {
		return 0o755
	}
	return 0o644
}

const description = `Writes every UDP datagram received as one JSON line to a journal
Receives heartbeats and metrics of hosts as UDP datagrams, and writes each
as one line of JSON to a journal that rotates by itself. What is lost, by a
full disk or a full socket, is counted and noted in the journal.
.
The same program filters, follows, sums up, verifies and replays journals.`

// config is what nfpm makes a package from, in JSON, which is YAML too.
func (p packaging) config(form, arch string) ([]byte, error) {
	contents, err := p.contents(form, arch)
	if err != nil {
		return nil, err
	}
	script := func(name string) string { return filepath.Join(p.root, "scripts/deploy/package", name) }
	summary, _, _ := strings.Cut(description, "\n")
	return json.MarshalIndent(map[string]any{
		"name": "hbjournal", "arch": arch, "platform": "linux", "section": "net", "priority": "optional",
		"version": packageVersion(p.Version, p.Time), "version_schema": "none",
		"maintainer": p.maintainer, "description": description, "mtime": p.Time,
		"license":          "see " + docs + "copyright",
		"disable_globbing": true,
		"contents":         contents,
		"scripts": map[string]string{
			"postinstall": script("postinstall.sh"), "preremove": script("preremove.sh"), "postremove": script("postremove.sh"),
		},
		"deb": map[string]any{"compression": "gzip:9"},
		"rpm": map[string]any{"compression": "gzip:9", "summary": summary, "group": "System Environment/Daemons", "buildhost": "localhost"},
	}, "", "\t")
}
