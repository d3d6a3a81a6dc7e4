package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"hbjournal/scripts/source"
)

// makeNATS builds nats-server and an image of it for each architecture: the program alone, with the directory /data. It is
// told everything by its arguments, as that of its makers.
func makeNATS(ctx context.Context, out string, archs []string, s source.Source) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	for _, arch := range archs {
		binary := filepath.Join(out, "nats-server-linux-"+arch)
		if _, err := source.Go(ctx, []string{"GOOS=linux", "GOARCH=" + arch}, "build", "-C", "scripts/interop", "-buildvcs=false", "-trimpath",
			"-ldflags", "-s -w -buildid=", "-o", binary, "github.com/nats-io/nats-server/v2"); err != nil {
			return err
		}
		program, err := os.ReadFile(binary)
		if err != nil {
			return err
		}
		files := []file{
			dir("data/", 0o750, uid),
			{name: "nats-server", mode: 0o755, body: program},
			dir("tmp/", 0o1777, 0),
		}
		made, err := makeImage("nats-server", arch, s, files, runConfig{
			User: fmt.Sprintf("%d:%d", uid, uid), Entrypoint: []string{"/nats-server"}, Volumes: map[string]struct{}{"/data": {}},
			WorkingDir: "/", StopSignal: "SIGTERM",
		})
		if err != nil {
			return err
		}
		if err := writeTar(binary+".docker.tar", s.Time, made.dockerArchive()); err != nil {
			return err
		}
	}
	return nil
}
