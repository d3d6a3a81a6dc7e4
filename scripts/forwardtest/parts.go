//go:build unix

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// add appends a row, if it was measured at all.
func (b *bench) add(name, goal string, runs []figures) {
	b.rows = append(b.rows, row{name: name, goal: goal, runs: runs})
}

func (b *bench) file(ctx context.Context) error {
	var runs []figures
	for range b.runs {
		copies := filepath.Join(b.dir, "copies")
		f, err := b.ship(ctx, "file://"+copies+"/")
		if err != nil {
			return err
		}
		if err := os.RemoveAll(copies); err != nil {
			return err
		}
		runs = append(runs, f)
	}
	b.add("file", "200", runs)
	return nil
}

func (b *bench) http(ctx context.Context) error {
	server, err := serve(discard)
	if err != nil {
		return err
	}
	defer server.Close()
	var runs []figures
	for range b.runs {
		f, err := b.ship(ctx, "http://"+server.Addr+"/")
		if err != nil {
			return err
		}
		runs = append(runs, f)
	}
	b.add("http, which reads and discards", "200", runs)
	return nil
}

// natsStream sends to a server that forces each message to the disk before it acknowledges.
func (b *bench) natsStream(ctx context.Context) error {
	var runs []figures
	for range b.runs {
		err := b.withNATS(ctx, func(addr string) error {
			f, err := b.ship(ctx, "nats://"+addr+"?create=true")
			runs = append(runs, f)
			return err
		})
		if err != nil {
			return err
		}
	}
	b.add("nats, one server, sync always", "100", runs)
	return nil
}

// victoriaLogs takes turns with curl, which posts the bytes that the output sends, kept from a run before.
func (b *bench) victoriaLogs(ctx context.Context) error {
	body := filepath.Join(b.dir, "body")
	query, err := b.keep(ctx, body)
	if err != nil {
		return err
	}
	var runs, curls []figures
	for range b.runs {
		err := b.withVictoriaLogs(ctx, func(addr string) error {
			f, err := b.ship(ctx, "victorialogs://"+addr)
			runs = append(runs, f)
			return err
		})
		if err != nil {
			return err
		}
		err = b.withVictoriaLogs(ctx, func(addr string) error {
			f, err := timed(ctx, nil, "curl", "-sS", "--fail", "-o", os.DevNull, "-T", body, "-X", "POST",
				"-H", "Content-Type: application/stream+json", "http://"+addr+query)
			curls = append(curls, f)
			return err
		})
		if err != nil {
			return err
		}
	}
	ratio := float64(row{runs: curls}.median().wall) / float64(row{runs: runs}.median().wall)
	b.add("victorialogs", fmt.Sprintf("0.80 of curl's speed: %.2f", ratio), runs)
	b.add("curl, the same bytes", "", curls)
	return os.Remove(body)
}

// keep has the output send to a server that keeps all bodies in one file, and returns the path and query that it posts to.
func (b *bench) keep(ctx context.Context, body string) (query string, err error) {
	file, err := os.Create(body)
	if err != nil {
		return "", err
	}
	server, err := serve(func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.RequestURI()
		if _, err := file.ReadFrom(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	if err != nil {
		return "", err
	}
	_, err = b.ship(ctx, "victorialogs://"+server.Addr)
	if errClose := server.Close(); err == nil {
		err = errClose
	}
	if errClose := file.Close(); err == nil {
		err = errClose
	}
	return query, err
}

// syslog takes turns with rsyslog's omfwd, if there is one, which reads the same files; both send to a receiver that reads and discards.
func (b *bench) syslog(ctx context.Context) error {
	lines, err := b.lines()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r := newLineReceiver(listener)
	defer r.close()
	addr := listener.Addr().String()
	var runs, theirs []figures
	for range b.runs {
		f, err := b.ship(ctx, "syslog+tcp://"+addr)
		if err != nil {
			return err
		}
		runs = append(runs, f)
		r.take()
		if b.rsyslog == "" {
			continue
		}
		if f, err = b.omfwd(ctx, addr, lines, r); err != nil {
			return err
		}
		theirs = append(theirs, f)
	}
	b.add("syslog+tcp, confirmed by half-close", "", runs)
	if len(theirs) > 0 {
		b.add("rsyslog: imfile to omfwd, unconfirmed", "", theirs)
	}
	return nil
}

// omfwd sends the journal's files by rsyslog until the receiver has as many lines.
func (b *bench) omfwd(ctx context.Context, addr string, lines int64, r *lineReceiver) (figures, error) {
	work := filepath.Join(b.dir, "rsyslog")
	if err := os.RemoveAll(work); err != nil {
		return figures{}, err
	}
	if err := os.MkdirAll(work, 0o700); err != nil {
		return figures{}, err
	}
	host, port, _ := strings.Cut(addr, ":")
	conf := filepath.Join(work, "conf")
	text := fmt.Sprintf(`global(workDirectory=%q maxMessageSize="64k")
module(load="imfile")
input(type="imfile" file=%q tag="hbjournal" reopenOnTruncate="off")
action(type="omfwd" target=%q port=%q protocol="tcp" tcp_framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")
`, work, filepath.Join(b.journal, "messages.journal*"), host, port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return figures{}, err
	}
	return untilTaken(ctx, r, lines, b.rsyslog, "-n", "-f", conf, "-i", filepath.Join(work, "pid"))
}
