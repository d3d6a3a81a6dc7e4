// Command image builds hbjournal for Linux, and container images from scratch that hold it, without a container engine:
//
//	go run ./scripts/image --out ./image            both architectures, as the commit at hand
//	go run ./scripts/image --binaries --arch amd64     no images, only the static binary and its parts list
//	go run ./scripts/image --clean                     compile all of the program anew, which takes a minute
//	go run ./scripts/image --nats-server --arch amd64  an image of nats-server instead, for the tests of a fleet
//
// For each architecture there is the static binary (hbjournal-linux-amd64), the list of the modules in it in CycloneDX
// JSON (.cdx.json), and an archive for 'docker load' (.docker.tar); hbjournal.oci.tar is one OCI layout for all of them.
// An image is one layer, of the files that layer.go lists.
//
// All of it is the same to the byte wherever it is built from the same source by the same Go: paths are trimmed, and times are
// those of the commit or of SOURCE_DATE_EPOCH. It pushes nothing: 'skopeo copy' or 'docker push' do.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"hbjournal/scripts/source"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "image: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	out := flags.String("out", ".", "`directory` of the results, made if missing")
	archs := flags.String("arch", "amd64,arm64", "architectures, a list with commas")
	version := flags.String("version", "", "version that the program and the image bear; else what git describes")
	binaries := flags.Bool("binaries", false, "only the binaries and their lists of parts, no images")
	clean := flags.Bool("clean", false, "build the program with nothing of an earlier build, as a check of it would")
	nats := flags.Bool("nats-server", false, "an image of the nats-server that scripts/interop is pinned to, and nothing else, for tests")
	if err := flags.Parse(args); err != nil {
		return err
	}
	from, err := source.Describe(ctx, *version)
	if err != nil {
		return err
	}
	if *clean {
		if from.Cache, err = os.MkdirTemp("", "hbjournal-image-"); err != nil {
			return err
		}
		defer os.RemoveAll(from.Cache)
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	if *nats {
		return makeNATS(ctx, *out, strings.Split(*archs, ","), from)
	}
	var images []image
	for arch := range strings.SplitSeq(*archs, ",") {
		binary := filepath.Join(*out, "hbjournal-linux-"+arch)
		if err := from.Build(ctx, binary, arch); err != nil {
			return err
		}
		if err := from.ListParts(ctx, binary, binary+".cdx.json"); err != nil {
			return err
		}
		if *binaries {
			continue
		}
		made, err := newImage(binary, arch, from)
		if err != nil {
			return err
		}
		if err := writeTar(binary+".docker.tar", from.Time, made.dockerArchive()); err != nil {
			return err
		}
		images = append(images, made)
	}
	if *binaries {
		return nil
	}
	return writeTar(filepath.Join(*out, "hbjournal.oci.tar"), from.Time, ociLayout(images, from.Version))
}
