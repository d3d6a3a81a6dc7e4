//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"hbjournal/scripts/freeport"
	"hbjournal/sink/forward"
)

// ships are the outputs that work, by their names, and how many lines each has shipped.
type ships []ship

type ship struct {
	name  string
	lines int
}

func (s ships) names() string {
	var names []string
	for _, one := range s {
		names = append(names, one.name)
	}
	return strings.Join(names, " and ")
}

// String says how many lines each has shipped: one number if it is that of all.
func (s ships) String() string {
	var all []string
	same := true
	for _, one := range s {
		all = append(all, one.name+" "+count(one.lines))
		same = same && one.lines == s[0].lines
	}
	if same {
		return count(s[0].lines)
	}
	return strings.Join(all, ", ")
}

// least is what the slowest has shipped.
func (s ships) least() int {
	least := s[0].lines
	for _, one := range s {
		least = min(least, one.lines)
	}
	return least
}

// besideOutputs loads hbjournal with all outputs down but a file, and with --nats a real server, which ship what comes. The run
// lasts until they have all of it.
func (b *bench) besideOutputs(ctx context.Context, l load) (r result, s ships, err error) {
	s = ships{{name: "file"}}
	var server string
	if b.nats != "" {
		var stop func() error
		if server, stop, err = b.startNATS(ctx); err != nil {
			return r, s, err
		}
		defer func() { err = errors.Join(err, stop()) }()
		s = append(ships{{name: "NATS"}}, s...)
	}
	working := func(dir string) []string {
		urls := []string{"file://" + filepath.Join(dir, "copies") + "/?name=file"}
		if server != "" {
			urls = append(urls, "nats://"+server+"?name=NATS&create=true&max_bytes=8GiB")
		}
		return urls
	}
	r, err = b.run(ctx, forwarding(b.program, working), l, func(p *process) error { return s.await(ctx, p.dir, l.count) })
	return r, s, err
}

// await waits until each has shipped as many lines, or none has shipped any for some seconds: of what was lost there are none.
func (s ships) await(ctx context.Context, dir string, lines int) error {
	const patience = 10 * time.Second
	moved := time.Now()
	return poll(ctx, 10*time.Minute, 100*time.Millisecond, func() (bool, error) {
		for i := range s {
			record, err := forward.ReadRecord(filepath.Join(dir, ".messages.journal.d", "forward", s[i].name))
			if err == nil && int(record.Figures.Lines) != s[i].lines {
				s[i].lines, moved = int(record.Figures.Lines), time.Now()
			}
		}
		return s.least() >= lines || time.Since(moved) > patience, nil
	})
}

// startNATS starts a server that forces each message to the disk before it acknowledges, and waits until it listens.
func (b *bench) startNATS(ctx context.Context) (addr string, stop func() error, err error) {
	dir, err := os.MkdirTemp(b.dir, "nats-")
	if err != nil {
		return "", nil, err
	}
	port, err := freeport.Find()
	if err != nil {
		return "", nil, err
	}
	addr = port.Addr()
	config, log := filepath.Join(dir, "conf"), filepath.Join(dir, "log")
	text := fmt.Sprintf("listen: %q\nlog_file: %q\njetstream { store_dir: %q, sync_interval: always, max_file_store: 16GB }\n",
		addr, log, filepath.Join(dir, "store"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return "", nil, err
	}
	cmd := exec.Command(b.nats, "-c", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start nats-server: %w", err)
	}
	stop = func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM) // If it is gone, Wait says so.
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) { // It ends with 1 at a signal.
			return err
		}
		return os.RemoveAll(dir)
	}
	err = poll(ctx, 30*time.Second, 20*time.Millisecond, func() (bool, error) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return false, nil
		}
		return true, conn.Close()
	})
	if err != nil {
		said, _ := os.ReadFile(log)
		return "", nil, errors.Join(fmt.Errorf("start nats-server: %w: %s", err, said), stop())
	}
	return addr, stop, nil
}
