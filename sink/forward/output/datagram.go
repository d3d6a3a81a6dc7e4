package output

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"hbjournal/sink/forward"
)

// datagrams sends messages over UDP. Nothing is ever known of them again, but that a machine on the way, or the receiver's
// while nobody listened, sent an ICMP error back: then the whole batch is sent again.
type datagrams struct {
	connection
	address string
	packer  packer

	conn  *net.UDPConn
	since time.Time
}

// packer makes the datagrams of a line, and hands each to send.
type packer interface {
	pack(b *forward.Batch, i int, send func([]byte) error) (*unfit, error)
}

// maxDatagram is the most that a datagram of IPv4 holds.
const maxDatagram = 65507

// datagrams asks for the options of outputs over UDP.
func (o *options) datagrams(t *Target, p packer) *datagrams {
	d := &datagrams{packer: p}
	o.times(&d.connection)
	d.address = t.host(o)
	t.noPath(o)
	return d
}

// Send implements forward.Output.
func (d *datagrams) Send(ctx context.Context, b *forward.Batch) (r forward.Receipt, err error) {
	if err := d.open(ctx); err != nil {
		return r, err
	}
	for i := range b.Len() {
		if ctx.Err() != nil {
			return r, ambiguous("send: %w", context.Cause(ctx))
		}
		no, err := d.packer.pack(b, i, d.write)
		if errors.Is(err, syscall.EMSGSIZE) {
			no, err = &unfit{tooLong, "the system sends no datagram of this size"}, nil
		}
		switch {
		case err != nil:
			return d.failed(r, err)
		case no != nil:
			r.Refused = append(r.Refused, no.refused(i))
		}
		r.Acked++
	}
	if err := d.refusal(); err != nil {
		return d.failed(r, err)
	}
	return r, nil
}

func (d *datagrams) write(packet []byte) error {
	_, err := d.conn.Write(packet)
	return err
}

// failed is what became of a batch when sending gave an error. An ICMP error is about any datagram before it.
func (d *datagrams) failed(r forward.Receipt, err error) (forward.Receipt, error) {
	d.drop()
	if errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.EPERM) {
		return r, trouble("send", err)
	}
	return forward.Receipt{}, trouble("send", err)
}

// icmpWait is how long an ICMP error about the last datagrams is waited for: as long as one takes in a near network.
const icmpWait = 5 * time.Millisecond

// refusal returns the ICMP error that came about what was sent.
func (d *datagrams) refusal() error {
	if err := d.conn.SetReadDeadline(time.Now().Add(icmpWait)); err != nil {
		return err
	}
	var chatter [1]byte
	if _, err := d.conn.Read(chatter[:]); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

func (d *datagrams) open(ctx context.Context) error {
	if d.conn != nil && (d.MaxAge <= 0 || time.Since(d.since) < d.MaxAge) {
		return nil
	}
	d.drop()
	conn, err := d.dial(ctx, "udp", d.address)
	if err != nil {
		return err
	}
	d.conn, d.since = conn.(*net.UDPConn), time.Now()
	return nil
}

func (d *datagrams) drop() {
	if d.conn != nil {
		d.conn.Close()
		d.conn = nil
	}
}

// Check implements forward.Checker: it looks the host up, more cannot be found out.
func (d *datagrams) Check(ctx context.Context) error {
	d.drop()
	return d.open(ctx)
}

// Close implements forward.Output.
func (d *datagrams) Close() error {
	d.drop()
	return nil
}

// unfit says why a line cannot be sent at all.
type unfit struct{ code, reason string }

// The codes of lines that are refused here.
const (
	tooLong   = "too_long"
	malformed = "malformed"
)

func (u *unfit) refused(line int) forward.Refused {
	return forward.Refused{Line: line, Code: u.code, Reason: u.reason}
}

func exceeds(size, most int, knob string) *unfit {
	return &unfit{tooLong, fmt.Sprintf("a message of %d bytes exceeds %s=%d", size, knob, most)}
}
