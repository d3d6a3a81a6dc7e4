// Command package makes the .deb and .rpm packages of hbjournal with nfpm, which runs straight from the module proxy:
//
//	go run ./scripts/package --out ./packages       both forms for both architectures, as the commit at hand
//
// contents.go lists what they hold; what their scripts do on a machine stands in scripts/deploy/package.
//
// They are the same to the byte wherever they are built from the same source by the same Go: all times are those of the
// commit or of SOURCE_DATE_EPOCH. Nothing is signed and nothing is uploaded: that is for whoever runs a repository.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"

	"hbjournal/scripts/source"
)

// nfpm makes the archives. Newer versions need a newer Go.
const nfpm = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "package: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("package", flag.ContinueOnError)
	out := flags.String("out", ".", "`directory` of the results, made if missing")
	archs := flags.String("arch", "amd64,arm64", "architectures, a list with commas")
	version := flags.String("version", "", "version that program and packages bear; else what git describes")
	maintainer := flags.String("maintainer", "hbjournal maintainers <hbjournal@localhost>", "whom the packages name as theirs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	from, err := source.Describe(ctx, *version)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	root, err := source.Go(ctx, nil, "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "hbjournal-package-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	p := packaging{Source: from, root: strings.TrimSpace(root), work: work, out: *out, maintainer: *maintainer}
	return p.makeAll(ctx, strings.Split(*archs, ","))
}

// packaging is one run of the command.
type packaging struct {
	source.Source
	root       string // where go.mod stands
	work, out  string
	maintainer string
}

func (p packaging) makeAll(ctx context.Context, archs []string) error {
	if err := p.writePages(ctx); err != nil {
		return err
	}
	for _, arch := range archs {
		if err := p.writeForArch(ctx, arch); err != nil {
			return err
		}
		for _, form := range []string{"deb", "rpm"} {
			if err := p.makeOne(ctx, form, arch); err != nil {
				return fmt.Errorf("make the %s of %s: %w", form, arch, err)
			}
		}
	}
	return nil
}

// makeOne has nfpm make one package, whose name it chooses as is the custom of its form.
func (p packaging) makeOne(ctx context.Context, form, arch string) error {
	config, err := p.config(form, arch)
	if err != nil {
		return err
	}
	path := filepath.Join(p.work, form+"-"+arch+".json") // which is YAML too
	if err := os.WriteFile(path, config, 0o644); err != nil {
		return err
	}
	_, err = source.Go(ctx, []string{"SOURCE_DATE_EPOCH=" + p.epoch()}, "run", nfpm, "package", "--config", path, "--packager", form, "--target", p.out)
	return err
}

func (p packaging) epoch() string { return strconv.FormatInt(p.Time.Unix(), 10) }
