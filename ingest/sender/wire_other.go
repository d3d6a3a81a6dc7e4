//go:build !linux

package sender

import (
	"cmp"
	"errors"
	"net"
	"time"
)

// wire is the portable way to send a batch: one write a datagram.
type wire struct {
	conn *net.UDPConn
}

func (w *wire) open(conn *net.UDPConn, o Options) error {
	w.conn = conn
	if o.Sources > 0 || o.Segment {
		return errors.New("many sources and UDP_SEGMENT need Linux")
	}
	return nil
}

// send sends the datagrams that lie one after the other in buf. It tries each, and returns the first error.
func (w *wire) send(buf []byte, sizes []int, stats *Stats) error {
	var first error
	for _, size := range sizes {
		first = cmp.Or(first, w.write(buf[:size], stats))
		buf = buf[size:]
	}
	return first
}

func (w *wire) write(datagram []byte, stats *Stats) error {
	_, err := w.conn.Write(datagram)
	refused := err
	if isRefused(err) {
		stats.Refused++ // This is about an earlier datagram, and this one has not been sent: try it again.
		_, err = w.conn.Write(datagram)
	}
	if err != nil {
		stats.Errors++
		return err
	}
	stats.Sent++
	stats.Bytes += int64(len(datagram))
	return refused
}

func nap(d time.Duration) { time.Sleep(d) }
