package cli

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"

	"hbjournal/ingest/sender"
)

const sendExample = `  hbjournal send '{"ID":"HTB","name":"webserver1","interval":30,"ver":1}'
  hbjournal send --zlib --count 10 --rate 2 '{"ID":"HTB","name":"webserver1"}'
  hbjournal send --to 192.0.2.7:50003 < messages.jsonl
  tail -F messages.jsonl | hbjournal send --keep-going
  hbjournal send --mix --rate 200000 --duration 5s --sources 1000`

// sendFlags are the flags of `send`. A count, rate or duration of 0 is no limit.
type sendFlags struct {
	to       string
	count    int
	rate     float64
	duration time.Duration
	zlib     bool
	mix      bool
	sources  int
	segment  bool

	keepGoing bool
}

func newSend(env Env) *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send [MESSAGE...]",
		Short: "Send messages as UDP datagrams, or a load of them at a rate",
		Long: "Send each MESSAGE as one UDP datagram, exactly as it is given. Without any, each line of standard input is\n" +
			"one. With --mix, made-up messages are sent: half heartbeats of 75 bytes, half plugin messages of 260, each\n" +
			"with a running number \"n\" and its time of sending \"at\" in microseconds, to load and check a receiver.",
		Example: sendExample,
		Args:    cobra.ArbitraryArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "127.0.0.1:50003", "where to send to, `host:port`")
	flags.IntVar(&f.count, "count", 0, "datagrams to send in all: the messages over and over, or the first of the lines "+
		"(default each message once, every line, --mix without end)")
	flags.Float64Var(&f.rate, "rate", 0, "datagrams a second (default as fast as it goes)")
	flags.DurationVar(&f.duration, "duration", 0, "stop after this time, such as 5s (default no limit)")
	flags.BoolVar(&f.zlib, "zlib", false, "compress each message")
	flags.BoolVar(&f.mix, "mix", false, "send made-up messages")
	flags.IntVar(&f.sources, "sources", 0, "send from this many addresses of 127.0.0.0/8 in turn (Linux)")
	completeFixed(cmd, "to", "127.0.0.1:50003")
	flags.BoolVar(&f.segment, "segment", false, "hand runs of equal-sized messages to the kernel as one, by UDP_SEGMENT (Linux)")
	flags.BoolVar(&f.keepGoing, "keep-going", false, "go on while nothing listens there, as when the receiver restarts; it fails if that is so at the end")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.check(args); err != nil {
			return err
		}
		return send(cmd.Context(), f, args, env)
	}
	return cmd
}

// check reports every fault of the call at once.
func (f sendFlags) check(args []string) error {
	var faults []error
	fault := func(bad bool, format string, a ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, a...))
		}
	}
	fault(f.to == "", "--to is empty: give host:port, such as 127.0.0.1:50003")
	fault(f.count < 0, "--count %d: must be 0 (no limit) or more", f.count)
	fault(!(f.rate >= 0 && f.rate <= 1e9), "--rate %v: must be 0 (no limit) to 1000000000 a second", f.rate)
	fault(f.duration < 0, "--duration %v: must be 0 (no limit) or more", f.duration)
	fault(f.mix && len(args) > 0, "--mix makes its own messages: %q cannot be sent too", args)
	if len(faults) > 0 {
		return &usageError{errors.Join(faults...), "see 'hbjournal send --help'"}
	}
	return nil
}

func send(ctx context.Context, f sendFlags, args []string, env Env) error {
	s, err := sender.Dial(sender.Options{To: f.to, Sources: f.sources, Segment: f.segment, KeepGoing: f.keepGoing})
	if err != nil {
		return explainDial(err)
	}
	source, pace := f.source(args, env.Stdin)
	if !source.blocks {
		// An interrupt ends a load with its summary. Reading standard input cannot be interrupted: there, it ends all.
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
	}
	start := time.Now()
	err = sendAll(ctx, s, pace.Start(), source)
	took := time.Since(start)
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	inSpiteOf := ""
	if f.keepGoing {
		inSpiteOf = troubles(s.Stats())
	}
	if s.Stats().Sent > 1 || inSpiteOf != "" {
		printSent(env.Stderr, s, took, inSpiteOf)
	}
	return explainSend(err)
}

// messages yields what is to be sent.
type messages struct {
	next   nextMessage
	blocks bool        // next may wait for somebody to type
	ready  func() bool // next will not wait
}

// nextMessage returns the next message, which is due now, valid until the next call; io.EOF after the last.
type nextMessage func(now time.Time) ([]byte, error)

// source returns the messages that the call asks for, and their pace.
func (f sendFlags) source(args []string, stdin io.Reader) (messages, sender.Pace) {
	pace := sender.Pace{Rate: f.rate, Count: f.count, Duration: f.duration}
	var m messages
	switch {
	case f.mix:
		m = mixed(f.segment)
	case len(args) > 0:
		m = repeated(args)
		if pace.Count == 0 && pace.Duration == 0 {
			pace.Count = len(args)
		}
	default:
		m = lines(stdin)
	}
	if f.zlib {
		m.next = compressed(m.next)
	}
	return m, pace
}

func always() bool { return true }

func mixed(segment bool) messages {
	m := mix{run: 1}
	if segment {
		m.run = segmentRun
	}
	return messages{ready: always, next: func(now time.Time) ([]byte, error) { return m.next(now), nil }}
}

// repeated yields the arguments over and over.
func repeated(args []string) messages {
	all := make([][]byte, len(args))
	for i, arg := range args {
		all[i] = []byte(arg)
	}
	i := -1
	return messages{ready: always, next: func(time.Time) ([]byte, error) {
		i = (i + 1) % len(all)
		return all[i], nil
	}}
}

// lines yields the lines of r that are not empty, without their ends.
func lines(r io.Reader) messages {
	const longest = sender.MaxDatagram + 2 // room for a line's end; what is longer cannot be sent anyway
	b := bufio.NewReaderSize(r, max(longest, 1<<20))
	next := func(time.Time) ([]byte, error) {
		for {
			line, err := b.ReadSlice('\n')
			if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 && (err == nil || err == io.EOF) {
				return line, nil
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				return nil, fmt.Errorf("read standard input: a line of more than %d bytes: %w", b.Size(), sender.ErrTooLong)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return messages{next: next, blocks: true, ready: func() bool { return b.Buffered() > 0 }}
}

// compressed yields the messages of next as zlib streams.
func compressed(next nextMessage) nextMessage {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	return func(now time.Time) ([]byte, error) {
		message, err := next(now)
		if err != nil {
			return nil, err
		}
		out.Reset()
		w.Reset(&out)
		if _, err := w.Write(message); err != nil {
			return nil, fmt.Errorf("compress: %w", err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("compress: %w", err)
		}
		return out.Bytes(), nil
	}
}

// sendAll sends at the pace until messages, count, time or ctx end. It stops at the first error of the sender.
func sendAll(ctx context.Context, s *sender.Sender, pacer *sender.Pacer, m messages) error {
	for {
		n, err := pacer.Next(ctx)
		if n == 0 || err != nil {
			return nil // The end of the context is how a load is stopped, and no failure.
		}
		now := time.Now()
		for range n {
			message, err := m.next(now)
			if err == io.EOF {
				return nil // Close sends the rest.
			}
			if err != nil {
				return err
			}
			if err := s.Add(message); err != nil {
				return err
			}
			if !m.ready() {
				if err := s.Flush(); err != nil {
					return err
				}
			}
		}
		if err := s.Flush(); err != nil {
			return err
		}
	}
}

func printSent(w io.Writer, s *sender.Sender, took time.Duration, inSpiteOf string) {
	stats := s.Stats()
	fmt.Fprintf(w, "hbjournal: sent %d messages, %d bytes to %s in %.3fs, %.0f/s%s\n",
		stats.Sent, stats.Bytes, s.To(), took.Seconds(), float64(stats.Sent)/max(took.Seconds(), 1e-9), inSpiteOf)
}

// troubles says what sending went on in spite of, as the end of a sentence.
func troubles(stats sender.Stats) string {
	text := ""
	if stats.Refused > 0 {
		text += fmt.Sprintf("; nothing listened there %s, and what was sent then is lost", plural(stats.Refused, "time"))
	}
	if stats.Errors > 0 {
		text += fmt.Sprintf("; %s found no way there", plural(stats.Errors, "message"))
	}
	return text
}

// explainDial tells a wrong call from a name that could not be looked up.
func explainDial(err error) error {
	const hint = "--to takes host:port, such as 127.0.0.1:50003 or [::1]:50003"
	var lookup *net.DNSError
	if errors.As(err, &lookup) {
		return &hintedError{err, hint}
	}
	return &usageError{err, hint}
}

// explainSend adds what the user can do about it to what went wrong.
func explainSend(err error) error {
	switch {
	case errors.Is(err, sender.ErrRefused):
		return &hintedError{err, "start 'hbjournal serve' there, or name another address with --to"}
	case errors.Is(err, sender.ErrTooLong):
		return &hintedError{err, "send less in one message, or try --zlib"}
	}
	return err
}
