package fleet

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"hbjournal/sink/forward/durable"
	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

// A receiver is one of the fleet, with its journal here. It is used by one goroutine at a time.
type receiver struct {
	name  string
	opts  *Options
	files rotate.Options
	copy  *seal.Copied // keeps what proves the rest of a sealed journal
	opt   read.Options
	file  *rotate.File // nil: closed

	place          // with all that waits in buf
	safe   place   // on the disk
	known  bool    // place is right: it was read, or there was nothing yet
	lost   bool    // place is lost: it is not read again
	recent *recent // lines by which a place that is lost may be found; nil: not looked at
	passed uint64  // the last message that was left out because place is lost
	buf    []byte
	tail   *tail // nil: nothing stands behind the position
	looked bool  // for a tail
	used   time.Time

	first   uint64 // offset of the first message with lines in buf; 0: none has
	written int    // bytes of buf that the last flush wrote
	missing bool   // the journal cannot be written: nothing is taken
	missed  firsts // messages that came meanwhile
	again   bool   // what it has missed or holds can be read again
	retry   time.Time

	hold  hold      // of the stream, if lines are missing
	asked time.Time // when lines were last asked for; zero: none are missing
	moved time.Time // when the number last went up
	log   saying
}

func newReceiver(name string, opts *Options) *receiver {
	dir := filepath.Join(opts.Dir, name)
	r := &receiver{name: name, opts: opts, files: opts.Files(dir)}
	r.copy = seal.NewCopied(seal.CopiedOptions{
		Dir: dir, Base: r.files.Name, State: r.stateDir(), Decrypter: opts.Decrypter, Log: opts.Log.With().Str("receiver", name).Logger(),
	})
	r.files.Sealer = r.copy
	r.opt = read.Options{Dir: dir, Base: r.files.Name, Decrypter: opts.Decrypter}
	r.log = saying{log: opts.Log.With().Str("receiver", name).Logger(), now: opts.Now}
	return r
}

func (r *receiver) stateDir() string { return rotate.StateDir(r.files.Dir, r.files.Name) }

func (r *receiver) placeFile() placeFile { return placeFileIn(r.stateDir()) }

// load reads the place. Its error wraps errNoPlace if lines are there, and nobody knows which.
func (r *receiver) load() error {
	if r.known {
		return nil
	}
	if r.lost {
		filled, err := hasLines(r.opt)
		if err != nil || filled {
			return cmp.Or(err, errNoPlace)
		}
		r.looked = false
		r.settle(place{}) // It was moved away.
		return nil
	}
	p, err := r.placeFile().read()
	if errors.Is(err, errNoPlace) {
		filled, errLook := hasLines(r.opt)
		if errLook != nil {
			return errLook
		}
		if !filled {
			p, err = place{}, nil
		}
	}
	r.lost = errors.Is(err, errNoPlace)
	if err != nil {
		return err
	}
	r.settle(p)
	return nil
}

// settle takes p for the place.
func (r *receiver) settle(p place) {
	r.place, r.safe, r.known, r.lost, r.recent = p, p, true, false, nil
	if p.Sealed {
		r.copy.Sealed()
	}
}

// lose gives up the place, while this stream is read.
func (r *receiver) lose(now string) {
	of := place{chain: chain{Journal: r.Journal}, First: r.First, Sealed: r.Sealed}
	if r.Stream == now {
		r.passed = max(r.passed, r.Offset)
	}
	r.place, r.safe, r.known, r.lost, r.hold = of, of, false, true, hold{}
}

// take deals with a message of a place in the engine, whose lines are given with their newlines. What it adds waits until
// flush. A hole that nobody can be asked about is a gap, and so is one of which the receiver has said that its lines are gone.
func (r *receiver) take(m stream.Mark, lines []byte, at place, canAsk bool) (judged, error) {
	j := r.judge(m)
	reason := m.Gone.Reason
	if j.verdict == hole {
		if why, ok := r.hold.fills(r.Number, m); ok || !canAsk {
			j, reason = judged{verdict: fits, lost: m.Number - r.Number}, cmp.Or(why, reason, reasonHole)
		}
	} else if j.lost > 0 && r.hold.overtakes(r.Number, m) {
		return judged{verdict: early}, nil
	}
	if j.verdict == fits {
		rest, before := skipLines(lines, j.skip)
		if err := r.continues(j.skip, journal.LineHash(before)); err != nil {
			return j, err
		}
		if j.lost > 0 {
			r.note(journal.GapNote{Reason: reason, Lost: uint64(j.lost), First: r.LastAt, Last: timeOf(lines)}.Append(nil), lines)
		}
		r.seen(rest)
		r.buf = append(r.buf, rest...)
		r.chain, r.LastAt = r.behind(m), timeOf(lastLine(lines))
	}
	if j.verdict == fits || j.verdict == copied {
		r.Stream, r.Partition, r.Offset = at.Stream, at.Partition, at.Offset
	}
	return j, nil
}

// seen notes what is to be known of lines before they are written.
func (r *receiver) seen(lines []byte) {
	if r.Journal == "" && len(lines) > 0 {
		first, _, _ := bytes.Cut(lines, []byte{'\n'})
		r.First = journal.LineHash(first)
	}
	if !r.Sealed && seal.MayHaveNotes(lines) {
		r.Sealed = true
		r.copy.Sealed()
	}
}

// reasonHole stands in a gap that nobody could be asked to fill.
const reasonHole = "hole"

// skipLines cuts off the first n lines, and returns the last of these without its newline, too.
func skipLines(lines []byte, n int) (rest, last []byte) {
	for range n {
		i := bytes.IndexByte(lines, '\n')
		last, lines = lines[:i], lines[i+1:]
	}
	return lines, last
}

// lastLine returns the last one of lines.
func lastLine(lines []byte) []byte {
	return lines[bytes.LastIndexByte(bytes.TrimSuffix(lines, []byte{'\n'}), '\n')+1:]
}

// note adds an entry of the archive's own before lines. It has the time of the first of them, so that all archives of a receiver are alike.
func (r *receiver) note(message, lines []byte) {
	at := time.Unix(0, 0)
	if millis, ok := journal.LineTime(lines); ok {
		at = time.UnixMilli(millis)
	}
	r.buf = journal.NewEncoder(r.opts.Location).AppendLine(r.buf, at, noSource, message)
}

var noSource = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)

// timeOf is the time of the first of lines; zero: it is none of a journal.
func timeOf(lines []byte) journal.Instant {
	millis, _ := journal.LineTime(lines)
	return journal.Instant(millis)
}

// takeOver begins the chain of another journal.
func (r *receiver) takeOver(id string, lines []byte) {
	r.note(journal.TakeoverNote{Journal: id, Before: r.Journal}.Append(nil), lines)
	r.chain, r.hold = chain{Journal: id}, hold{}
}

// flush writes what waits, and then the position, all durably. After an error the same is tried again by the next flush.
func (r *receiver) flush(ctx context.Context) error {
	r.used = r.opts.Now()
	if err := r.open(); err != nil {
		return err
	}
	if err := r.compare(ctx); err != nil {
		return err
	}
	for len(r.buf) > 0 && r.tail == nil {
		n, err := r.file.Write(r.buf)
		r.buf = r.buf[:copy(r.buf, r.buf[n:])]
		if err != nil {
			return err
		}
	}
	if err := r.file.SyncAll(); err != nil {
		return err
	}
	if cap(r.buf) > keptBuffer {
		r.buf = nil
	}
	return r.keep()
}

// keptBuffer is the most memory that a receiver keeps for what comes next, in bytes.
const keptBuffer = 256 << 10

// keep writes the position.
func (r *receiver) keep() (err error) {
	if r.tail != nil {
		r.Own = r.tail.at
	} else if r.Own, err = endOf(r.opt); err != nil {
		return err
	}
	if r.place == r.safe {
		return nil
	}
	if err := r.placeFile().write(r.place); err != nil {
		return err
	}
	r.safe = r.place
	return nil
}

// open opens the journal and looks for a tail.
func (r *receiver) open() (err error) {
	if r.file == nil {
		if err := durable.MakeDirectory(filepath.Dir(r.placeFile().path), r.opts.DirMode); err != nil {
			return err
		}
		if r.file, err = rotate.Open(r.files); err != nil {
			return err
		}
	}
	if !r.looked {
		if r.tail, err = openTail(r.opt, r.safe.Own); err != nil {
			return err
		}
		r.looked = true
	}
	return nil
}

// compare passes what waits as long as it stands in the tail, and has the rest of one that differs moved aside.
func (r *receiver) compare(ctx context.Context) (err error) {
	done := 0
	defer func() { r.buf = r.buf[:copy(r.buf, r.buf[done:])] }()
	for r.tail != nil && done < len(r.buf) {
		there, ok, err := r.tail.next(ctx)
		switch {
		case err != nil:
			return err
		case !ok:
			err = r.tail.close()
			r.tail = nil
			return err
		case !bytes.HasPrefix(r.buf[done:], there):
			return r.cut()
		}
		r.tail.pass(there)
		done += len(there)
	}
	return nil
}

// cut moves the rest of the tail aside.
func (r *receiver) cut() error {
	if err := r.close(); err != nil {
		return err
	}
	kept, err := r.tail.moveAside(r.stateDir(), r.opts.Now())
	if err != nil {
		return fmt.Errorf("move aside what stands behind the position: %w", err)
	}
	r.log.log.Warn().Str("kept_as", kept).Msg("the journal held lines behind its position that are not the receiver's; they were moved aside")
	err = r.tail.close()
	r.tail = nil
	return errors.Join(err, r.open())
}

// probe sees whether the journal can be written. It needs no place: if that is lost, the next message tells where it is.
func (r *receiver) probe() error {
	err := r.load()
	if errors.Is(err, errNoPlace) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.open(); err != nil {
		return err
	}
	return r.file.Check()
}

// close closes the journal.
func (r *receiver) close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// forget goes back to what is on the disk: what waits is read again from the engine.
func (r *receiver) forget() {
	r.place, r.buf = r.safe, nil
	if r.tail != nil {
		_ = r.tail.close()
	}
	r.tail, r.looked = nil, false
}
