package ingest

import (
	"context"
	"time"
)

// reader is one socket with what reads it.
type reader struct {
	opts     Options
	socket   *socket
	pipeline *pipeline
	gateway  gatewayWatch
	hosts    hosts // guarded by pipeline.mu

	drops    uint32    // the kernel's count at the last tick
	ticked   time.Time // when that was
	unsaid   uint64    // datagrams lost in the kernel that the log does not know of yet
	said     time.Time // when it was told last
	lossy    time.Time // when some were last found
	refused  bool      // the last receive failed
	received bool      // something, since the last tick
	quiet    bool      // ticks have nothing to do until the next datagram comes
}

func newReader(s *socket, o Options, g *guard) *reader {
	r := &reader{opts: o, socket: s, pipeline: newPipeline(o), gateway: gatewayWatch{log: o.Log, gateways: o.Gateways}}
	r.pipeline.guard = g
	r.pipeline.waited = s.waiting / leastTruesize
	return r
}

// leastTruesize is less than any datagram takes of a socket's buffer, by the kernel's own account.
const leastTruesize = 512

// run is the reader goroutine.
func (r *reader) run(ctx context.Context, to Appender) {
	r.pipeline.to = to
	r.ticked = r.opts.Now()
	defer r.interruptedBy(ctx)()
	r.takeOverDrops(r.ticked)
	for ctx.Err() == nil {
		r.round(r.socket.receive(r.patience()))
	}
	r.drain()
	r.tick(r.opts.Now())
	r.leaveDrops()
	r.pipeline.finish()
}

// patience is how long to wait for a datagram: until the next tick, if that may have something to do.
func (r *reader) patience() time.Duration {
	if r.quiet {
		return time.Minute
	}
	return time.Second
}

// interruptedBy has the socket's wait interrupted when ctx is done. The function that it returns waits until no
// interruption is under way: one that came after Close could write to a descriptor that is another file's by then.
func (r *reader) interruptedBy(ctx context.Context) (release func()) {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		r.socket.interrupt()
		close(interrupted)
	})
	return func() {
		if !stop() {
			<-interrupted
		}
	}
}

// drain reads what waits in the socket, and no longer than DrainTimeout, since others may go on sending.
func (r *reader) drain() {
	deadline := r.opts.Now().Add(r.opts.DrainTimeout)
	for r.opts.Now().Before(deadline) {
		n, err := r.socket.receiveNow()
		if n == 0 || err != nil {
			return
		}
		r.round(n, nil)
	}
}

// roundBatches bounds how long others wait for the intake.
const roundBatches = 16

// round deals with n datagrams that the socket has received, and with those that wait behind them. Their lines are
// handed over together, since handing over wakes up the journal's writer.
func (r *reader) round(n int, err error) {
	now := r.opts.Now()
	if n > 0 {
		r.quiet, r.received = false, true
		r.pipeline.begin()
		r.batch(n, now)
		for batches := 1; batches < roundBatches && err == nil && r.socket.isFull(); batches++ {
			n, err = r.socket.receiveNow()
			now = r.opts.Now()
			r.batch(n, now)
		}
		r.pipeline.end()
	}
	r.tellErr(err)
	if since := now.Sub(r.ticked); since >= time.Second || since < 0 {
		r.tick(now)
	}
}

// batch deals with the n datagrams of the socket's last batch.
func (r *reader) batch(n int, now time.Time) {
	for i := range n {
		datagram, from := r.socket.datagram(i)
		r.gateway.see(from.Addr(), now)
		r.hosts.see(from.Addr())
		r.pipeline.process(datagram, from, now)
	}
	r.pipeline.waited = max(0, r.pipeline.waited-n)
	if !r.socket.isFull() {
		r.pipeline.waited = 0 // The socket is empty.
	}
}

// tick does what is due once a second.
func (r *reader) tick(now time.Time) {
	r.countDrops(now)
	r.pipeline.guard.report(now)
	r.gateway.report(now)
	r.pipeline.tick(now.UnixMilli())
	r.quiet = !r.received && r.unsaid == 0 && !r.pipeline.guard.owes() && !r.pipeline.dedup.open()
	r.received = false
}

// tellErr logs when receiving begins to fail and when it ends.
func (r *reader) tellErr(err error) {
	switch {
	case err != nil && !r.refused:
		r.opts.Log.Error().Err(err).Stringer("addr", r.socket.addr).Msg("receiving journal messages fails; trying again")
	case err == nil && r.refused:
		r.opts.Log.Info().Stringer("addr", r.socket.addr).Msg("receiving journal messages works again")
	}
	r.refused = err != nil
}

// takeOverDrops notes at once what the kernel has dropped while nobody read a socket that was handed over. Its counter runs
// on from one process to the next, so what an earlier one has noted is not noted again.
func (r *reader) takeOverDrops(now time.Time) {
	if r.socket.name == "" {
		return
	}
	drops, err := r.socket.drops()
	if err != nil {
		return // As each tick will find.
	}
	noted, at := r.pipeline.to.WatchDrops(r.socket.name, drops)
	if lost := drops - noted; lost > 0 {
		r.pipeline.noteDrops(r.socket.name, uint64(lost), at, now)
		r.opts.Log.Warn().Uint32("lost", lost).Stringer("addr", r.socket.addr).
			Msg("kernel dropped journal messages while nobody read the socket: its receive buffer was full; raise ReceiveBuffer= in the socket unit")
	}
	r.drops, r.ticked = drops, now
}

// leaveDrops has the next process know until when this one has counted.
func (r *reader) leaveDrops() {
	if r.socket.name != "" {
		r.pipeline.noteDrops(r.socket.name, 0, r.ticked, r.ticked)
	}
}

// calm is how long the kernel must drop nothing for its next loss to be a new one, which the log is told of at once.
const calm = 10 * time.Second

// countDrops counts what the kernel has dropped since the last tick. Its counter is 32 bits wide and wraps.
func (r *reader) countDrops(now time.Time) {
	drops, err := r.socket.drops()
	if err != nil {
		r.tellErr(err)
		return
	}
	begins := false
	if lost := drops - r.drops; lost > 0 {
		r.pipeline.noteDrops(r.socket.name, uint64(lost), r.ticked, now)
		r.unsaid += uint64(lost)
		begins = now.Sub(r.lossy) >= calm
		r.lossy = now
	}
	r.drops, r.ticked = drops, now
	if r.unsaid > 0 && (begins || isDue(now, r.said)) {
		r.opts.Log.Warn().Uint64("lost", r.unsaid).Stringer("addr", r.socket.addr).
			Msg("kernel dropped journal messages: the socket's receive buffer was full; raise listen_buffer")
		r.unsaid, r.said = 0, now
	}
}
