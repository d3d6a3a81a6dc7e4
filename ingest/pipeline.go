package ingest

import (
	"errors"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/sink/journal"
)

// Appender is where lines go. None of its methods may wait for the disk.
type Appender interface {
	// Append takes lines that are whole and hold this many entries, and does not keep them. All or none are taken; an
	// error says why none was.
	Append(lines []byte, entries int) error
	// NoteDrops tells of datagrams that the kernel dropped, between first and last, since a socket's buffer was full. The
	// socket's name, if it has one, is one that WatchDrops was told; then lost may be 0: its counter was looked at.
	NoteDrops(socket string, lost uint64, first, last time.Time)
	// WatchDrops has what NoteDrops is told of a socket that outlives the process kept for the next one. The socket's drop
	// counter is at count. It returns up to where an earlier process has told of it, and when that counted last, both
	// zero if nothing is known.
	WatchDrops(socket string, count uint32) (noted uint32, at time.Time)
	// Note takes a message of the journal's own, and does not keep it. It is not one of the entries of Append.
	Note(message []byte) error
}

// ErrDisabled is what Discard says of all lines.
var ErrDisabled = errors.New("journal is disabled")

// Discard is the Appender of a daemon that receives and counts, and writes nothing.
type Discard struct{}

// Append takes nothing: it returns ErrDisabled.
func (Discard) Append([]byte, int) error { return ErrDisabled }

// NoteDrops does nothing.
func (Discard) NoteDrops(string, uint64, time.Time, time.Time) {}

// WatchDrops knows of no socket: nothing is noted.
func (Discard) WatchDrops(string, uint32) (noted uint32, at time.Time) { return 0, time.Time{} }

// Note does nothing.
func (Discard) Note([]byte) error { return nil }

// flushBytes is how many bytes of lines a pipeline gathers before it hands them over in the middle of a round.
const flushBytes = 512 << 10

// pipeline makes lines of the datagrams of one socket, and hands them to an Appender round by round. All its work is
// done on the goroutine that calls it; the lock is for those who read the intake.
type pipeline struct {
	to          Appender // set before the first round
	dropInvalid bool
	debug       bool // log each datagram
	log         zerolog.Logger
	guard       *guard  // nil: nothing is refused
	filter      *filter // nil: every message is wanted
	dedup       *dedup  // nil: copies are wanted too
	waited      int     // how many of the next datagrams may have come before the start
	scratch     []byte  // of notes
	decoder     Decoder
	encoder     *journal.Encoder

	mu      sync.Mutex
	intake  Intake
	lines   []byte
	entries int
}

func newPipeline(o Options) *pipeline {
	return &pipeline{
		dropInvalid: o.DropInvalid,
		debug:       o.Log.Debug().Enabled(), //nolint:zerologlint // Nothing is to be logged here.
		log:         o.Log,
		filter:      newFilter(o.Include, o.Exclude),
		dedup:       newDedup(o.DedupWindow),
		decoder:     Decoder{MaxMessageBytes: o.MaxMessageBytes},
		encoder:     journal.NewEncoder(o.Location),
		intake:      Intake{Limited: map[string]uint64{}, Dropped: map[string]uint64{"queue": 0}},
	}
}

// begin starts a round. Until end, the intake is closed to readers, so that what they see adds up.
func (p *pipeline) begin() { p.mu.Lock() }

// end hands over the lines of the round.
func (p *pipeline) end() {
	p.flush()
	p.mu.Unlock()
}

// process takes one datagram of the round: guard, decode, filter, dedup, line.
func (p *pipeline) process(datagram []byte, from netip.AddrPort, at time.Time) {
	p.intake.Received++
	p.intake.ReceivedBytes += uint64(len(datagram))
	if why := p.guard.refuses(from.Addr(), at, p.waited > 0); why != "" {
		p.intake.Limited[why]++
		return
	}
	message := p.decoder.Decode(datagram)
	if message.Invalid != nil && p.dropInvalid {
		p.intake.Invalid++
		return
	}
	if p.filter != nil && p.filter.drops(message.JSON, from.Addr()) {
		p.intake.Filtered++
		return
	}
	if p.dedup != nil && p.isCopy(message.JSON, from.Addr(), at.UnixMilli()) {
		p.intake.Duplicate++
		return
	}
	p.count(message)
	if p.debug {
		p.log.Debug().Stringer("from", from).Int("bytes", len(datagram)).RawJSON("content", message.JSON).Msg("received journal message")
	}
	p.lines = p.encoder.AppendLine(p.lines, at, from, message.JSON)
	p.entries++
	if len(p.lines) >= flushBytes {
		p.flush()
	}
}

// isCopy reports whether the message came before within its window.
func (p *pipeline) isCopy(message []byte, from netip.Addr, millis int64) bool {
	p.closeWindows(millis)
	if p.dedup.full() {
		p.dedup.forget() // Its note had no room in the journal.
	}
	return p.dedup.seen(message, from, millis)
}

// closeWindows closes the windows that are over, with a note in the journal for each that had copies. If the journal
// has no room for a note now, its window stays open until it has.
func (p *pipeline) closeWindows(millis int64) {
	for b := p.dedup.over(millis); b != nil; b = p.dedup.over(millis) {
		if b.copies > 0 {
			p.scratch = b.appendNote(p.scratch[:0])
			if p.to.Note(p.scratch) != nil {
				return
			}
		}
		p.dedup.forget()
	}
}

// tick does what is due once a second.
func (p *pipeline) tick(millis int64) {
	if p.dedup == nil {
		return
	}
	p.begin()
	defer p.end()
	p.closeWindows(millis)
}

// finish does what would be due later.
func (p *pipeline) finish() { p.tick(math.MaxInt64) }

func (p *pipeline) count(m Message) {
	if m.Wrapped {
		p.intake.Wrapped++
	}
	if m.Repaired {
		p.intake.Repaired++
	}
}

// flush hands over the lines gathered so far.
func (p *pipeline) flush() {
	if p.entries == 0 {
		return
	}
	if err := p.to.Append(p.lines, p.entries); err != nil {
		p.intake.Dropped[dropReason(err)] += uint64(p.entries)
	} else {
		p.intake.Accepted += uint64(p.entries)
	}
	p.lines, p.entries = p.lines[:0], 0
	if cap(p.lines) > keptScratch {
		p.lines = nil
	}
}

// dropReason is the word under which entries that an Appender refused are counted.
func dropReason(err error) string {
	if errors.Is(err, ErrDisabled) {
		return "disabled"
	}
	return "queue"
}

// noteDrops counts datagrams that the socket's buffer had no room for, and has it noted in the journal.
func (p *pipeline) noteDrops(socket string, lost uint64, first, last time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.intake.Kernel += lost
	p.to.NoteDrops(socket, lost, first, last)
}
