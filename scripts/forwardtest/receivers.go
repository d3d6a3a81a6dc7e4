//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"hbjournal/scripts/freeport"
)

// ship forwards the journal once, from its beginning.
func (b *bench) ship(ctx context.Context, url string) (figures, error) {
	state := filepath.Join(b.dir, "state")
	if err := os.RemoveAll(state); err != nil {
		return figures{}, err
	}
	env := append(os.Environ(), "JOURNAL_DIR="+b.journal, "FORWARD_TO=")
	return timed(ctx, env, b.program, "forward", "--once", "--state", state, "--journal-id", strings.Repeat("0", 32), url)
}

// timed runs a program to its end.
func timed(ctx context.Context, env []string, name string, args ...string) (figures, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var said bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &said, &said
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		return figures{}, fmt.Errorf("%s: %w: %s", filepath.Base(name), err, bytes.TrimSpace(said.Bytes()))
	}
	return spent(cmd, begun), nil
}

// spent is what a program that has ended took.
func spent(cmd *exec.Cmd, begun time.Time) figures {
	f := figures{wall: time.Since(begun), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		f.memory = int64(usage.Maxrss) << 10
	}
	return f
}

// serve starts an HTTP server on a port of its own.
func serve(handle http.HandlerFunc) (*http.Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Addr: listener.Addr().String(), Handler: handle}
	go func() { _ = server.Serve(listener) }() // It ends at Close, and says so.
	return server, nil
}

func discard(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// withNATS runs a server with an empty store while use works.
func (b *bench) withNATS(ctx context.Context, use func(addr string) error) error {
	port, err := freeport.Find()
	if err != nil {
		return err
	}
	addr := port.Addr()
	store, conf := filepath.Join(b.dir, "nats"), filepath.Join(b.dir, "nats.conf")
	text := fmt.Sprintf("listen: %q\njetstream { store_dir: %q, sync_interval: always, max_file_store: 8GB }\n", addr, store)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return err
	}
	defer os.RemoveAll(store)
	return while(ctx, addr, func() error { return use(addr) }, b.nats, "-c", conf)
}

// withVictoriaLogs runs a server with an empty store while use works.
func (b *bench) withVictoriaLogs(ctx context.Context, use func(addr string) error) error {
	port, err := freeport.Find()
	if err != nil {
		return err
	}
	addr := port.Addr()
	store := filepath.Join(b.dir, "victorialogs")
	defer os.RemoveAll(store)
	return while(ctx, addr, func() error { return use(addr) }, b.victorialogs,
		"-httpListenAddr="+addr, "-storageDataPath="+store, "-retentionPeriod=100y", "-loggerLevel=ERROR")
}

// while runs a server, waits until it listens, and ends it after use.
func while(ctx context.Context, addr string, use func() error, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	err := listens(ctx, addr)
	if err == nil {
		err = use()
	}
	_ = cmd.Process.Signal(syscall.SIGTERM) // If it is gone, Wait says so.
	var exit *exec.ExitError
	if errWait := cmd.Wait(); errWait != nil && !errors.As(errWait, &exit) {
		err = errors.Join(err, errWait)
	}
	return err
}

// listens waits until somebody listens at addr, half a minute at most.
func listens(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// lineReceiver reads octet-counted syslog from each connection to its end, and counts the messages.
type lineReceiver struct {
	listener net.Listener
	count    atomic.Int64
	serving  sync.WaitGroup
}

func newLineReceiver(listener net.Listener) *lineReceiver {
	r := &lineReceiver{listener: listener}
	r.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.serving.Go(func() { r.read(conn) })
		}
	})
	return r
}

func (r *lineReceiver) read(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 1<<20)
	for {
		text, err := in.ReadString(' ')
		if err != nil {
			return
		}
		length, err := strconv.Atoi(strings.TrimSuffix(text, " "))
		if err != nil {
			return
		}
		if _, err := in.Discard(length); err != nil {
			return
		}
		r.count.Add(1)
	}
}

// take returns how many messages have come, and begins anew.
func (r *lineReceiver) take() int64 { return r.count.Swap(0) }

// close stops listening; connections end with their senders.
func (r *lineReceiver) close() {
	_ = r.listener.Close()
	r.serving.Wait()
}

// lines counts the lines of the journal.
func (b *bench) lines() (int64, error) {
	paths, err := filepath.Glob(filepath.Join(b.journal, "messages.journal*"))
	if err != nil {
		return 0, err
	}
	var lines int64
	block := make([]byte, 1<<20)
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return 0, err
		}
		for {
			n, err := file.Read(block)
			lines += int64(bytes.Count(block[:n], []byte{'\n'}))
			if err != nil {
				break
			}
		}
		if err := file.Close(); err != nil {
			return 0, err
		}
	}
	return lines, nil
}

// untilTaken runs a sender until the receiver has as many lines, ten minutes at most, and then ends it.
func untilTaken(ctx context.Context, r *lineReceiver, lines int64, name string, args ...string) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return figures{}, err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for r.count.Load() < lines && ctx.Err() == nil {
		<-tick.C
	}
	took := time.Since(begun)
	_ = cmd.Process.Signal(syscall.SIGTERM) // If it is gone, Wait says so.
	err := cmd.Wait()
	if got := r.take(); got < lines {
		return figures{}, errors.Join(err, ctx.Err(), fmt.Errorf("%d of %d lines came", got, lines))
	}
	f := spent(cmd, begun)
	f.wall = took
	return f, nil
}
