//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hbjournal/scripts/freeport"
)

const stopTime = 20 * time.Second // a contender that has not stopped by then is killed

// contender is a program that writes the datagrams of a UDP port to files.
type contender struct {
	name  string
	start func(dir string, port int) (*exec.Cmd, error)
}

// journals are the files that every contender writes, in the order of their names.
func journals(dir string) ([]string, error) {
	return filepath.Glob(filepath.Join(dir, "messages.journal*"))
}

// receiveBuffer is the socket's receive buffer of every contender, in MiB: what rates such as these ask for, where the
// sender and the disk's own threads take the processor away for tens of milliseconds.
const receiveBuffer = 64

// hbjournal runs the daemon with its defaults, but for the receive buffer, a directory of its own and backups that are
// all kept, plus what settings, KEY=value, add.
func hbjournal(program string, settings ...string) contender {
	return contender{"hbjournal", func(dir string, port int) (*exec.Cmd, error) {
		cmd := exec.Command(program, "serve")
		cmd.Env = append([]string{
			"HOME=" + dir, "JOURNAL_DIR=" + dir, "JOURNAL_MAX_BACKUPS=0", "HTTP_ADDR=127.0.0.1:0",
			"LISTEN_ADDR=127.0.0.1:" + strconv.Itoa(port), fmt.Sprintf("LISTEN_BUFFER=%dMiB", receiveBuffer),
		}, settings...)
		return cmd, nil
	}}
}

// sealed is hbjournal with a key that seals the journal.
func sealed(program string) contender {
	return contender{"hbjournal, sealed", func(dir string, port int) (*exec.Cmd, error) {
		key := filepath.Join(dir, "sign.key")
		if out, err := exec.Command(program, "seal", "keygen", "bench.example", "--out", key).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("make a key: %w: %s", err, out)
		}
		return hbjournal(program, "JOURNAL_SIGN_KEY="+key).start(dir, port)
	}}
}

// bareloop runs the compiled bareloop.c.
func bareloop(program string) contender {
	return contender{"bare C loop", func(dir string, port int) (*exec.Cmd, error) {
		return exec.Command(program, strconv.Itoa(port), filepath.Join(dir, "messages.journal"), strconv.Itoa(receiveBuffer)), nil
	}}
}

// rsyslogConfig is rsyslog as fast as it gets at this job: large batches from the socket, an array for a queue, a large
// buffer before an asynchronous writer, and the message copied as it came, without a look into it.
const rsyslogConfig = `
global(workDirectory="%[1]s" net.enableDNS="off" processInternalMessages="off")
module(load="imudp" batchSize="256" timeRequery="10")
template(name="raw" type="list") { property(name="rawmsg") constant(value="\n") }
ruleset(name="journal" parser="rsyslog.rfc3164"
        queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="4096" queue.workerThreads="1"
        queue.timeoutEnqueue="0") {
	action(type="omfile" file="%[1]s/messages.journal" template="raw"
	       asyncWriting="on" flushOnTXEnd="off" ioBufferSize="1m" flushInterval="1")
}
input(type="imudp" address="127.0.0.1" port="%[2]d" rcvbufSize="%[3]dm" ruleset="journal")
`

// rsyslog runs rsyslogd in the foreground with rsyslogConfig.
func rsyslog(program string) contender {
	return contender{"rsyslog", func(dir string, port int) (*exec.Cmd, error) {
		config := filepath.Join(dir, "rsyslog.conf")
		if err := os.WriteFile(config, fmt.Appendf(nil, rsyslogConfig, dir, port, receiveBuffer), 0o600); err != nil {
			return nil, err
		}
		return exec.Command(program, "-n", "-C", "-f", config, "-i", filepath.Join(dir, "pid")), nil
	}}
}

// process is a running contender.
type process struct {
	cmd  *exec.Cmd
	dir  string
	port int
	gone chan error // receives what Wait returned, once
}

// launch starts c in a new directory below parent and waits until its port is open.
func launch(ctx context.Context, c contender, parent string) (*process, error) {
	dir, err := os.MkdirTemp(parent, "run-")
	if err != nil {
		return nil, err
	}
	p := &process{dir: dir, gone: make(chan error, 1)}
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	p.port = int(port)
	if p.cmd, err = c.start(dir, p.port); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	go func() { p.gone <- p.cmd.Wait() }()
	if err := p.awaitPort(ctx); err != nil {
		log, _ := os.ReadFile(log.Name())
		return nil, errors.Join(fmt.Errorf("start %s: %w: %s", c.name, err, bytes.TrimSpace(log)), p.stop())
	}
	return p, nil
}

// awaitPort waits until the port is in the kernel's table of sockets, then for the process to come to rest.
func (p *process) awaitPort(ctx context.Context) error {
	entry := fmt.Sprintf(":%04X ", p.port)
	return poll(ctx, 10*time.Second, 20*time.Millisecond, func() (bool, error) {
		select {
		case err := <-p.gone:
			p.gone <- err
			return false, fmt.Errorf("it ended at once: %w", err)
		default:
		}
		table, err := os.ReadFile("/proc/net/udp")
		return strings.Contains(string(table), entry), err
	})
}

// stop ends the process, asking first, and removes nothing.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-p.gone:
		return err
	case <-time.After(stopTime):
		return errors.Join(errors.New("it did not stop, and was killed"), p.cmd.Process.Kill(), <-p.gone)
	}
}

// cpu is the user and system time that the process has used, all its threads together, in nanoseconds: its CPU clock,
// where /proc/PID/stat counts in hundredths of a second.
func (p *process) cpu() (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED of <linux/posix-timers.h>
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|schedClock), &at); err != nil {
		return 0, fmt.Errorf("read the CPU clock: %w", err)
	}
	return time.Duration(at.Nano()), nil
}

// peakRSS is the most memory that the process has had in RAM so far, in bytes.
func (p *process) peakRSS() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, errors.New("no VmHWM in /proc/PID/status")
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10, err
}

// size is how many bytes the process has written.
func (p *process) size() (total int64, err error) {
	names, err := journals(p.dir)
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			total += info.Size()
		}
	}
	return total, err
}

// settle waits until the process writes no more: nothing new in the time given.
func (p *process) settle(ctx context.Context, quiet time.Duration) error {
	last, since := int64(-1), time.Now()
	return poll(ctx, time.Minute, quiet/10, func() (bool, error) {
		size, err := p.size()
		if size != last {
			last, since = size, time.Now()
		}
		return time.Since(since) >= quiet, err
	})
}

// poll calls done every interval until it says true or fails, or the limit is reached.
func poll(ctx context.Context, limit, interval time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %v: %w", limit, ctx.Err())
		case <-ticker.C:
		}
	}
}
