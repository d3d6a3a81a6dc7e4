// Package source says what images and packages are made from (version, commit, time), and calls the Go command so that
// what it builds depends on nothing else.
package source

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Source is what is built.
type Source struct {
	Version string
	Commit  string    // "" outside a repository
	Time    time.Time // of the commit, which all that is made bears
	Cache   string    // directory of Go's build cache for the program; "": the user's
}

// Describe asks git, and goes without where there is none: then the version is devel and the time is 1970, unless
// version and SOURCE_DATE_EPOCH say better.
func Describe(ctx context.Context, version string) (Source, error) {
	s := Source{
		Version: cmp.Or(version, git(ctx, "describe", "--tags", "--always", "--dirty"), "devel"),
		Commit:  git(ctx, "rev-parse", "HEAD"),
	}
	epoch := cmp.Or(os.Getenv("SOURCE_DATE_EPOCH"), git(ctx, "log", "-1", "--format=%ct"), "0")
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return Source{}, fmt.Errorf("read SOURCE_DATE_EPOCH=%q: give seconds since 1970: %w", epoch, err)
	}
	s.Time = time.Unix(seconds, 0).UTC()
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

// Build makes the static program of an architecture at path.
func (s Source) Build(ctx context.Context, path, arch string) error {
	flags := "-s -w -buildid= -X hbjournal/config/cli.version=" + s.Version + " -X hbjournal/config/cli.commit=" + s.Commit
	environ := []string{"GOOS=linux", "GOARCH=" + arch}
	if s.Cache != "" {
		environ = append(environ, "GOCACHE="+s.Cache)
	}
	_, err := Go(ctx, environ, "build", "-buildvcs=false", "-trimpath", "-ldflags", flags, "-o", path, "hbjournal")
	return err
}

// gomod makes the list of parts. It runs straight from the module proxy, so that go.mod does not have to name it.
const gomod = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

// ListParts writes the modules that a program is made of to path, as CycloneDX JSON.
func (s Source) ListParts(ctx context.Context, program, path string) error {
	// The tool notes its own hashes, so it is built the same way everywhere too.
	_, err := Go(ctx, nil, "run", "-trimpath", "-ldflags", "-buildid=", gomod, "bin",
		"-json", "-noserial", "-notimestamp", "-version", s.Version, "-output", path, program)
	return err
}

// Go runs the Go command free of what the environment or a user's settings may ask of a build, and returns what it prints
// on standard output.
func Go(ctx context.Context, environ []string, args ...string) (string, error) {
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0")
	cmd.Env = append(cmd.Env, environ...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// Compress returns b in gzip, without name and time.
func Compress(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}
