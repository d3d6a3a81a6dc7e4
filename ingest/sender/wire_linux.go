package sender

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	segmentCount = 64    // datagrams in one UDP_SEGMENT buffer; older kernels take no more
	segmentBytes = 60000 // bytes in it: an IP packet's limit, with room for headers
	segmentSize  = 1400  // longer datagrams may not fit the path's MTU, which UDP_SEGMENT demands; they go one by one
)

// wire is the Linux way to send a batch: sendmmsg, IP_PKTINFO for the source address, UDP_SEGMENT.
type wire struct {
	raw     syscall.RawConn
	segment bool
	sources int
	next    int // index of the next source address

	headers []header
	vectors []unix.Iovec
	control []byte // one slot of controlSize bytes for each header
	counts  []int  // datagrams in each header
}

// header is the kernel's struct mmsghdr.
type header struct {
	unix.Msghdr
	n uint32 // bytes sent, filled in by the kernel
}

var (
	pktinfoSize = unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	controlSize = pktinfoSize + unix.CmsgSpace(2)
)

func (w *wire) open(conn *net.UDPConn, o Options) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	*w = wire{
		raw: raw, segment: o.Segment, sources: o.Sources,
		headers: make([]header, 0, batchCount),
		vectors: make([]unix.Iovec, batchCount),
		control: make([]byte, batchCount*controlSize),
		counts:  make([]int, 0, batchCount),
	}
	return nil
}

// send sends the datagrams that lie one after the other in buf. It tries each, and returns the first error.
func (w *wire) send(buf []byte, sizes []int, stats *Stats) error {
	w.fill(buf, sizes)
	var first error
	for at := 0; at < len(w.headers); {
		sent, err := w.sendmmsg(w.headers[at:])
		for _, i := range w.counts[at : at+sent] {
			stats.Sent += int64(i)
		}
		for i := range w.headers[at : at+sent] {
			stats.Bytes += int64(w.headers[at+i].n)
		}
		at += sent
		switch {
		case err == nil:
			continue
		case isRefused(err):
			stats.Refused++ // This is about an earlier datagram, and this one has not been sent: try it again.
		default:
			stats.Errors += int64(w.counts[at])
			at++
		}
		first = cmp.Or(first, err)
	}
	return first
}

// fill makes one header of each datagram, or of each run of equal-sized ones.
func (w *wire) fill(buf []byte, sizes []int) {
	w.headers, w.counts = w.headers[:0], w.counts[:0]
	for len(sizes) > 0 {
		n := 1
		if w.segment {
			n = run(sizes)
		}
		i, bytes := len(w.headers), n*sizes[0]
		w.headers, w.counts = append(w.headers, header{}), append(w.counts, n)
		w.vectors[i] = unix.Iovec{Base: unsafe.SliceData(buf)}
		w.vectors[i].SetLen(bytes)
		w.headers[i].Iov = &w.vectors[i]
		w.headers[i].SetIovlen(1)
		w.fillControl(i, n, sizes[0])
		buf, sizes = buf[bytes:], sizes[n:]
	}
}

// run is how many datagrams at the start of sizes can share a UDP_SEGMENT buffer.
func run(sizes []int) int {
	size, n := sizes[0], 1
	if size == 0 || size > segmentSize {
		return 1
	}
	for n < len(sizes) && sizes[n] == size && n < segmentCount && (n+1)*size <= segmentBytes {
		n++
	}
	return n
}

// fillControl adds the control messages of header i, which carries n datagrams of size bytes.
func (w *wire) fillControl(i, n, size int) {
	control := w.control[i*controlSize : (i+1)*controlSize]
	used := 0
	if w.sources > 0 {
		info := unix.Inet4Pktinfo{Spec_dst: sourceAddr(w.next)}
		w.next = (w.next + 1) % w.sources
		data := cmsg(control, unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
		*(*unix.Inet4Pktinfo)(data) = info
		used = pktinfoSize
	}
	if n > 1 {
		data := cmsg(control[used:], unix.IPPROTO_UDP, unix.UDP_SEGMENT, 2)
		*(*uint16)(data) = uint16(size)
		used += unix.CmsgSpace(2)
	}
	if used > 0 {
		w.headers[i].Control = &control[0]
		w.headers[i].SetControllen(used)
	}
}

// cmsg writes the header of a control message at the start of b and returns where its n bytes of data go.
func cmsg(b []byte, level, kind int32, n int) unsafe.Pointer {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(n))
	return unsafe.Pointer(&b[unix.CmsgLen(0)])
}

// sourceAddr is address i of the many: 127.1.0.0 and up.
func sourceAddr(i int) [4]byte {
	return [4]byte{127, byte(1 + i>>16), byte(i >> 8), byte(i)}
}

// sendmmsg hands headers to the kernel, waiting for room in the socket if need be, and returns how many it took. An
// error is about the header after those. The socket does not block, so the runtime is not told of the call: its
// monitor would wake up each time to take the processor away meanwhile.
func (w *wire) sendmmsg(headers []header) (int, error) {
	var sent uintptr
	var errno syscall.Errno
	err := w.raw.Write(func(fd uintptr) bool {
		for {
			sent, _, errno = unix.RawSyscall6(unix.SYS_SENDMMSG, fd,
				uintptr(unsafe.Pointer(&headers[0])), uintptr(len(headers)), 0, 0, 0)
			if errno != unix.EINTR {
				return errno != unix.EAGAIN
			}
		}
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("wait for the socket: %w", err)
	case errno != 0:
		return 0, errno
	}
	return int(sent), nil
}

func isRefused(err error) bool { return errors.Is(err, unix.ECONNREFUSED) }

// nap sleeps for d, a few milliseconds at most, more exactly than time.Sleep, whose clock ticks in milliseconds once the
// process is idle. The runtime is not told, as of sendmmsg.
func nap(d time.Duration) {
	left := unix.NsecToTimespec(d.Nanoseconds())
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&left)), uintptr(unsafe.Pointer(&left)), 0)
		if errno != unix.EINTR {
			return
		}
	}
}
