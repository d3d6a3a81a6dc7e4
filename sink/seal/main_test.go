package seal_test

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hbjournal/sink"
	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

// TestMain runs the tests, or in the processes that they start to be killed, a journal that is written without end.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SEAL_VICTIM"); dir != "" {
		if err := runVictim(dir, os.Getenv("SEAL_KEY")); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// victimOptions are those of a journal that rotates, compresses and prunes many times a second.
func victimOptions(dir string) sink.Options {
	o := sink.Options{Dir: dir, MaxBytes: 60_000, Fsync: 5 * time.Millisecond}
	if os.Getenv("SEAL_KEEP") == "" {
		o.MaxBackups, o.Compress = 4, "gzip"
	}
	return o
}

// killsAt kills the process when a step is taken for the n-th time, by a text such as "signed 3"; nil for none.
func killsAt(text string) func(step string) {
	var at string
	var left atomic.Int64
	var n int64
	if _, err := fmt.Sscan(text, &at, &n); err != nil {
		return nil
	}
	left.Store(n)
	return func(step string) {
		if step == at && left.Add(-1) == 0 {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {}
		}
	}
}

func runVictim(dir, keyFile string) error {
	key, err := seal.ReadKey(keyFile)
	if err != nil {
		return err
	}
	s, err := seal.New(seal.Options{Dir: dir, Base: base, State: rotate.StateDir(dir, base), Key: key, Every: 5 * time.Millisecond})
	if err != nil {
		return err
	}
	s.AtStep(killsAt(os.Getenv("SEAL_KILL_AT")))
	s.Publish(seal.NewPublisher(seal.PublishOptions{To: []string{dir + ".checkpoints"}, State: rotate.StateDir(dir, base), Key: key}))
	opts := victimOptions(dir)
	opts.Sealer = s
	j, err := sink.Open(opts)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "open")
	for n := 0; ; n++ {
		message := fmt.Appendf(nil, `{"ID":"HTB","pid":%d,"n":%d}`, os.Getpid(), n)
		if err := j.LogMessage(message, sender, time.Now()); err != nil {
			return err
		}
		if n%20 == 0 {
			<-time.After(time.Millisecond)
		}
	}
}
