package stream

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// The bounds of what a server of NATS may say, in bytes. The library has none: it makes room for whatever a message is said to
// take, and keeps a line for as long as it does not end.
const (
	maxInfo    = 1 << 20         // the server's words about itself, with the addresses of a whole cluster
	maxControl = 8 << 10         // any other line
	maxMessage = 64<<20 + 64<<10 // as large as a server can be told to take, with its headers
	infoPrefix = "INFO"
)

var errFloods = errors.New("the server says more than the protocol of NATS allows; is this its port for clients?")

// A guard is a connection to a server of NATS that breaks when the server says more than these bounds.
type guard struct {
	net.Conn
	before []byte // of what was read already
	line   []byte // the beginning of a line, as far as it is needed
	length int    // of the line so far
	skip   int    // bytes of a message, and the one behind it, that are still to come
	tail   bool   // what comes belongs to the end of a message, up to a newline
	err    error  // once there was one, nothing more is read
}

// Read implements net.Conn.
func (g *guard) Read(p []byte) (n int, err error) {
	if g.err != nil {
		return 0, g.err
	}
	if len(g.before) > 0 {
		n = copy(p, g.before)
		g.before = g.before[n:]
	} else {
		n, err = g.Conn.Read(p)
	}
	if g.err = g.see(p[:n]); g.err != nil {
		return 0, g.err
	}
	return n, err
}

// see follows the protocol as the library takes it apart.
func (g *guard) see(text []byte) error {
	for len(text) > 0 {
		if g.skip > 0 {
			n := min(g.skip, len(text))
			g.skip, text = g.skip-n, text[n:]
			continue
		}
		part, rest, ended := bytes.Cut(text, []byte{'\n'})
		text = rest
		if g.tail {
			g.tail = !ended
			continue
		}
		if err := g.add(part); err != nil {
			return err
		}
		if ended {
			if err := g.end(); err != nil {
				return err
			}
		}
	}
	return nil
}

// add takes a part of a line.
func (g *guard) add(part []byte) error {
	g.length += len(part)
	if room := maxControl - len(g.line); room > 0 {
		g.line = append(g.line, part[:min(room, len(part))]...)
	}
	if g.length > maxInfo || g.length > maxControl && !hasPrefixFold(g.line, infoPrefix) {
		return errFloods
	}
	return nil
}

// end is called behind a line.
func (g *guard) end() error {
	line := g.line
	g.line, g.length = g.line[:0], 0
	if !hasPrefixFold(line, "MSG") && !hasPrefixFold(line, "HMSG") {
		return nil
	}
	fields := bytes.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' })
	size, err := strconv.ParseUint(string(fields[len(fields)-1]), 10, 63)
	if err != nil || size > maxMessage {
		return errFloods
	}
	g.skip, g.tail = int(size)+1, true // The library takes one byte more, whichever it is, and then all up to a newline.
	return nil
}

func hasPrefixFold(line []byte, prefix string) bool {
	return len(line) >= len(prefix) && strings.EqualFold(string(line[:len(prefix)]), prefix)
}

// greet reads what a server says of itself, and secures the connection if it asks for that or secure is given: below TLS nobody
// could see what it says. The connection gives the server's first words again.
func greet(ctx context.Context, conn net.Conn, host string, secure func() (*tls.Config, error)) (net.Conn, error) {
	in := bufio.NewReaderSize(io.LimitReader(conn, maxInfo), 4<<10)
	info, err := in.ReadBytes('\n')
	if err != nil {
		if err == io.EOF && len(info) == maxInfo {
			err = errFloods
		}
		return nil, fmt.Errorf("read the server's greeting: %w", err)
	}
	var says struct {
		Required  bool `json:"tls_required"`
		Available bool `json:"tls_available"`
	}
	if _, text, ok := bytes.Cut(info, []byte{' '}); ok {
		_ = json.Unmarshal(text, &says) // What is wrong with it the library says.
	}
	if !says.Required && (secure == nil || !says.Available) {
		more, _ := in.Peek(in.Buffered())
		return &guard{Conn: conn, before: append(info, more...)}, nil
	}
	if in.Buffered() > 0 {
		return nil, errFloods // Nothing is to be said before TLS, for who is between could say it.
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if secure != nil {
		if config, err = secure(); err != nil {
			return nil, err
		}
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return &guard{Conn: secured, before: info}, nil
}
