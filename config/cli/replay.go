package cli

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hbjournal/ingest/sender"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

const replayExample = `  hbjournal replay --to 192.0.2.7:50003 --since 2h
  hbjournal replay --to 127.0.0.1:50004 --speed max --id PLG
  hbjournal replay --to 192.0.2.7:50003 --dry-run /backup/messages.journal.*`

// replayFlags are the flags of `replay`, beside those of its selection.
type replayFlags struct {
	to     string
	speed  string
	dryRun bool
	loop   bool
	factor float64 // of speed; infinite for max
}

func newReplay(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay --to HOST:PORT [FILE|DIR...]",
		Short: "Send the journal's messages again, in their order and at their pace",
		Long: "Send each message of the journal, or of the FILEs, as a UDP datagram, in the original order and spacing.\n" +
			"What came as something else than a JSON object is sent as the bytes that came. The journal's own notes, of\n" +
			"gaps for instance, are not sent. A message that no datagram can hold goes compressed, as it must have come.",
		Example: replayExample,
	}
	var f replayFlags
	s := addSelection(cmd, env)
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "where to send to, `host:port` (required)")
	flags.StringVar(&f.speed, "speed", "1", "how many `times` as fast as they came, such as 10, or max")
	flags.BoolVar(&f.dryRun, "dry-run", false, "send nothing; say what would be sent")
	flags.BoolVar(&f.loop, "loop", false, "send even to the daemon that writes this journal, which makes it grow by what is sent")
	completeFixed(cmd, "to", "127.0.0.1:50003")
	completeFixed(cmd, "speed", "1", "10", "max")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := s.reading(args, f.check())
		if err != nil {
			return err
		}
		return replay(cmd.Context(), f, r)
	}
	return cmd
}

func (f *replayFlags) check() error {
	var faults []error
	if f.to == "" {
		faults = append(faults, errors.New("no --to: where shall the messages go?"))
	}
	if err := f.parseSpeed(); err != nil {
		faults = append(faults, err)
	}
	if len(faults) == 0 {
		return nil
	}
	return &usageError{errors.Join(faults...), "for example 'hbjournal replay --to 127.0.0.1:50004 --speed 10'"}
}

func (f *replayFlags) parseSpeed() error {
	if f.speed == "max" {
		f.factor = math.Inf(1)
		return nil
	}
	factor, err := strconv.ParseFloat(strings.TrimSuffix(f.speed, "x"), 64)
	if err != nil || !(factor > 0 && factor <= 1e6) {
		return fmt.Errorf("--speed %q: give a number above 0, such as 1, 10 or 0.5, or max", f.speed)
	}
	f.factor = factor
	return nil
}

// replayer is one run of the command.
type replayer struct {
	replayFlags
	*reading
	sender *sender.Sender // nil for a dry run

	begun       time.Time // when the first message was sent
	first, last int64     // Unix milliseconds of the messages so far
	messages    int64
	bytes       int64
	notes       int64
	datagram    []byte
}

func replay(ctx context.Context, f replayFlags, r *reading) error {
	r.quiet, r.sayNone = true, true
	p := &replayer{replayFlags: f, reading: r}
	return r.run(ctx, p.replay, nil)
}

// replay sends the messages, and says at the end, whatever it was, how many.
func (r *replayer) replay(ctx context.Context) error {
	if err := r.dial(); err != nil {
		return err
	}
	source, err := read.Open(r.options)
	if err != nil {
		return errors.Join(err, r.close())
	}
	defer source.Close()
	entries := read.NewReader(ctx, source, r.filter, r.faults.report)
	for err == nil && entries.Next() {
		err = r.send(ctx, entries.Entry())
	}
	err = errors.Join(err, entries.Err(), r.close())
	r.bar.finish()
	fmt.Fprintf(r.env.Stderr, "hbjournal: %s\n", r.summary())
	return explainSend(err)
}

// dial opens the socket, unless this is a dry run or the messages would come back into the journal.
func (r *replayer) dial() error {
	s, err := sender.Dial(sender.Options{To: r.to})
	if err != nil {
		return explainDial(err)
	}
	if !r.loop && !r.dryRun {
		if err := r.refuseLoop(s.To()); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	if r.dryRun {
		return s.Close()
	}
	r.sender = s
	return nil
}

// send sends the message of an entry when its time has come.
func (r *replayer) send(ctx context.Context, e *journal.Entry) error {
	r.bar.show()
	r.entries++
	if journal.IsNote(e.Message) {
		r.notes++
		return nil
	}
	var err error
	if r.datagram, err = appendDatagram(r.datagram[:0], e.Message); err != nil {
		return err
	}
	if r.messages == 0 {
		r.begun, r.first = time.Now(), e.Millis
	}
	r.last = e.Millis
	if r.sender != nil {
		if err := r.await(ctx); err != nil {
			return err
		}
		if err := r.sender.Add(r.datagram); err != nil {
			return err
		}
	}
	r.messages++
	r.bytes += int64(len(r.datagram))
	return nil
}

// await waits for the current message's time, after sending what waits in the batch. One that came before the one in
// front of it, since the clock was set back, is not waited for.
func (r *replayer) await(ctx context.Context) error {
	due := r.begun.Add(r.after(r.last))
	if !time.Now().Before(due) {
		return ctx.Err()
	}
	if err := r.sender.Flush(); err != nil {
		return err
	}
	return sender.WaitUntil(ctx, due)
}

// after is how long after the first message one of this time is sent.
func (r *replayer) after(millis int64) time.Duration {
	return time.Duration(float64(millis-r.first) / r.factor * float64(time.Millisecond))
}

// appendDatagram appends what is sent for a message.
func appendDatagram(dst, message []byte) ([]byte, error) {
	dst, err := journal.AppendOriginal(dst, message)
	if err != nil || len(dst) <= sender.MaxDatagram {
		return dst, err
	}
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err = w.Write(dst)
	return b.Bytes(), errors.Join(err, w.Close())
}

func (r *replayer) close() error {
	if r.sender == nil {
		return nil
	}
	return r.sender.Close()
}

func (r *replayer) summary() string {
	notes := ""
	if r.notes > 0 {
		notes = fmt.Sprintf("; left out %s of the journal's own", plural(r.notes, "note"))
	}
	if r.dryRun {
		return fmt.Sprintf("would send %s, %d bytes, to %s in %v%s", plural(r.messages, "message"), r.bytes, r.to,
			r.after(r.last).Round(time.Millisecond), notes)
	}
	var took time.Duration
	if !r.begun.IsZero() {
		took = time.Since(r.begun).Round(time.Millisecond)
	}
	return fmt.Sprintf("sent %s, %d bytes, to %s in %v%s", plural(r.messages, "message"), r.bytes, r.to, took, notes)
}
