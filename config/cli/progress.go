package cli

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
)

// progress is the bar of a command that works for more than a second with somebody watching. A nil one shows nothing.
type progress struct {
	bar     *progressbar.ProgressBar
	read    func() int64
	appears time.Time
}

const progressAfter = time.Second

// startProgress makes the bar, if standard error is a terminal that no results are printed to.
func startProgress(r *reading) *progress {
	_, watched := terminalWidth(r.env.Stderr)
	_, printed := terminalWidth(r.env.Stdout)
	if !watched || printed && !r.quiet || r.endless {
		return nil
	}
	return newProgress(r.env, r.options, r.bytesRead.Load)
}

func newProgress(env Env, options read.Options, read func() int64) *progress {
	return &progress{
		read:    read,
		appears: time.Now().Add(progressAfter),
		bar: progressbar.NewOptions64(sizeOf(options), progressbar.OptionSetWriter(env.Stderr),
			progressbar.OptionShowBytes(true), progressbar.OptionShowCount(), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetDescription("reading")),
	}
}

// sizeOf is the bytes on the disk of all that a reading covers; -1, for not known, where standard input is among it.
func sizeOf(options read.Options) int64 {
	var paths []string
	for _, j := range options.Each() {
		paths = append(paths, j.Paths...)
		if len(j.Paths) > 0 {
			continue
		}
		files, err := names.Files(j.Dir, j.Base)
		if err != nil {
			return -1
		}
		for _, f := range files {
			paths = append(paths, f.Path)
		}
	}
	var total int64
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return -1
		}
		total += info.Size()
	}
	return total
}

// show brings the bar up to date.
func (p *progress) show() {
	if p != nil && time.Now().After(p.appears) {
		// What cannot be shown is not worth failing for.
		_ = p.bar.Set64(p.read())
	}
}

// finish takes the bar away.
func (p *progress) finish() {
	if p != nil && time.Now().After(p.appears) {
		_ = p.bar.Clear()
	}
}
