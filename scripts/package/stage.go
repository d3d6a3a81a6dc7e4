package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"hbjournal/scripts/source"
)

// writePages writes what is the same for all architectures to the work directory: pages of the manual, completions, an
// example of the settings, all as the program prints them, and the change log.
func (p packaging) writePages(ctx context.Context) error {
	program := filepath.Join(p.work, "here")
	flags := "-X hbjournal/config/cli.version=" + p.Version
	_, err := source.Go(ctx, []string{"GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH},
		"build", "-buildvcs=false", "-trimpath", "-ldflags", flags, "-o", program, "hbjournal")
	if err != nil {
		return err
	}
	if err := p.writeManual(ctx, program); err != nil {
		return err
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		text, err := p.ask(ctx, program, "completion", shell)
		if err != nil {
			return err
		}
		if err := p.write("completion."+shell, text); err != nil {
			return err
		}
	}
	example, err := p.ask(ctx, program, "config", "--example")
	if err != nil {
		return err
	}
	if err := p.write("hb.yaml", commentedOut(example)); err != nil {
		return err
	}
	changes, err := source.Compress(p.changeLog())
	if err != nil {
		return err
	}
	if err := p.write("copyright", fmt.Appendf(nil, copyright, p.Time.Year())); err != nil {
		return err
	}
	return p.write("changelog.gz", changes)
}

// ask returns what the program prints, whatever the settings of who runs this.
func (p packaging) ask(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = p.work, []string{"SOURCE_DATE_EPOCH=" + p.epoch(), "HOME=" + p.work, "TZ=UTC"}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run hbjournal %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}

// writeManual writes every page, compressed as packages have them.
func (p packaging) writeManual(ctx context.Context, program string) error {
	plain := filepath.Join(p.work, "pages")
	if _, err := p.ask(ctx, program, "man", "--dir", plain); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(p.work, "man"), 0o755); err != nil {
		return err
	}
	pages, err := os.ReadDir(plain)
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(plain, page.Name()))
		if err != nil {
			return err
		}
		packed, err := source.Compress(text)
		if err != nil {
			return err
		}
		if err := p.write("man/"+page.Name()+".gz", packed); err != nil {
			return err
		}
	}
	return nil
}

// A line of the example that sets a key, or goes on with its value.
var setting = regexp.MustCompile(`(?m)^([^#\n])`)

// commentedOut leaves the defaults to the program: a file that names them all would keep them when a later version has
// better ones.
func commentedOut(example []byte) []byte { return setting.ReplaceAll(example, []byte("#$1")) }

// changeLog is the one entry that a package made from any commit can have, in Debian's form.
func (p packaging) changeLog() []byte {
	text := "Version " + p.Version + "."
	if p.Commit != "" {
		text = "Version " + p.Version + ", of commit " + p.Commit + "."
	}
	return fmt.Appendf(nil, "hbjournal (%s) unstable; urgency=medium\n\n  * %s\n\n -- %s  %s\n",
		packageVersion(p.Version, p.Time), text, p.maintainer, p.Time.Format(time.RFC1123Z))
}

// writeForArch writes the program of an architecture, the list of its parts, and their licences.
func (p packaging) writeForArch(ctx context.Context, arch string) error {
	program := filepath.Join(p.work, "hbjournal-"+arch)
	if err := p.Build(ctx, program, arch); err != nil {
		return err
	}
	if err := p.ListParts(ctx, program, program+".cdx.json"); err != nil {
		return err
	}
	notices, err := p.notices(ctx, arch)
	if err != nil {
		return err
	}
	packed, err := source.Compress(notices)
	if err != nil {
		return err
	}
	return p.write("notices-"+arch+".gz", packed)
}

const copyright = `hbjournal is a program of its makers, who keep the copyright on it; they have
not stated a licence for others.

Copyright (C) %d the makers of hbjournal

The program is linked from the modules that hbjournal.cdx.json beside this file
lists. What their licences ask to be told stands in notices.gz, each in the
words of its authors.
`

// notices returns the licences of all that is linked into the program.
func (p packaging) notices(ctx context.Context, arch string) ([]byte, error) {
	list, err := source.Go(ctx, []string{"GOOS=linux", "GOARCH=" + arch},
		"list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", "hbjournal")
	if err != nil {
		return nil, err
	}
	root, err := source.Go(ctx, nil, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	modules := slices.Compact(slices.Sorted(strings.FieldsFuncSeq(list, func(r rune) bool { return r == '\n' })))
	var text bytes.Buffer
	for _, module := range append([]string{"Go's own library\t" + strings.TrimSpace(root)}, modules...) {
		name, dir, _ := strings.Cut(module, "\t")
		if err := appendLicences(&text, name, dir); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// licenceNames are the files in which modules keep their terms.
var licenceNames = []string{"LICENSE*", "LICENCE*", "COPYING*", "NOTICE*"}

// appendLicences appends the terms of a module, which must have some.
func appendLicences(to *bytes.Buffer, name, dir string) error {
	var paths []string
	for _, pattern := range licenceNames {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		return fmt.Errorf("find the licence of %s: none of %s in %s", name, strings.Join(licenceNames, ", "), dir)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(to, "\n==== %s: %s\n\n%s\n", name, filepath.Base(path), bytes.TrimSpace(text))
	}
	return nil
}

// write makes a file of the work directory.
func (p packaging) write(name string, text []byte) error {
	return os.WriteFile(filepath.Join(p.work, name), text, 0o644)
}
