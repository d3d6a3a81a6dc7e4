package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// source is what is built.
type source struct {
	version string
	commit  string    // "" outside a repository
	time    time.Time // of the commit, which all that is made bears
}

// describeSource asks git, and goes without where there is none: then the version is devel and the time is 1970, unless
// version and SOURCE_DATE_EPOCH say better.
func describeSource(ctx context.Context, version string) (source, error) {
	s := source{
		version: cmp.Or(version, git(ctx, "describe", "--tags", "--always", "--dirty"), "devel"),
		commit:  git(ctx, "rev-parse", "HEAD"),
	}
	epoch := cmp.Or(os.Getenv("SOURCE_DATE_EPOCH"), git(ctx, "log", "-1", "--format=%ct"), "0")
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return source{}, fmt.Errorf("read SOURCE_DATE_EPOCH=%q: give seconds since 1970: %w", epoch, err)
	}
	s.time = time.Unix(seconds, 0).UTC()
	return s, nil
}

// git returns what git prints, or "" if it fails.
func git(ctx context.Context, args ...string) string {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// gomod makes the list of parts. It runs straight from the module proxy, so that go.mod does not have to name it.
const gomod = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

// build makes the static binary at path, and the list of its parts beside it.
func build(ctx context.Context, path, arch string, s source) error {
	flags := "-s -w -buildid= -X hbjournal/config/cli.version=" + s.version
	err := goCommand(ctx, []string{"GOOS=linux", "GOARCH=" + arch},
		"build", "-buildvcs=false", "-trimpath", "-ldflags", flags, "-o", path, "hbjournal")
	if err != nil {
		return err
	}
	// The tool notes its own hashes, so it is built the same way everywhere too.
	return goCommand(ctx, nil, "run", "-trimpath", "-ldflags", "-buildid=", gomod, "bin",
		"-json", "-noserial", "-notimestamp", "-version", s.version, "-output", path+".cdx.json", path)
}

// goCommand runs the Go command free of what the environment or a user's settings may ask of a build.
func goCommand(ctx context.Context, environ []string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0")
	cmd.Env = append(cmd.Env, environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
