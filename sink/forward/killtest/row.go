package killtest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// How much may be there twice.
const (
	Nothing = 0 // whatever happens
	ABatch  = 1 // one batch, for each time that a sender was killed or an answer did not come
)

// A Row is an output with its receiver.
type Row struct {
	URL      string
	Receiver string // receiver_name; "": r
	Doubles  int    // Nothing or ABatch

	// Numbers are those of the messages that the receiver holds, in its order.
	Numbers func(testing.TB) []int
}

// Batch is added to the URLs of rows, so that there are many batches.
const Batch = "batch_bytes=3000&batch_wait=2ms"

// batchLines is more than the lines of a batch of that size.
const batchLines = 3000/100 + 2

// Kills is how often a sender is to be killed.
func Kills() int {
	if n, err := strconv.Atoi(os.Getenv("FORWARD_KILLS")); err == nil && n > 0 {
		return n
	}
	return 10
}

// Random is the source of what is random in a test.
func Random(t testing.TB) *rand.Rand {
	seed, err := strconv.ParseUint(os.Getenv("FORWARD_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("FORWARD_SEED=%d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// Sender is the row's, for a journal.
func (r Row) Sender(j *Journal) Sender {
	receiver := r.Receiver
	if receiver == "" {
		receiver = "r"
	}
	return Sender{Dir: j.Dir, StateDir: filepath.Join(j.Dir, "."+Base+".d", "forward", "row"), URL: r.URL, Receiver: receiver}
}

// KillSender kills senders one after another while the journal is written, rotated and compressed, and wants what the row promises.
func (r Row) KillSender(t *testing.T) {
	t.Helper()
	j, random := NewJournal(t), Random(t)
	kills := Kills()
	for range kills {
		r.live(t, j, random)
	}
	r.Finish(t, j)
	r.Want(t, j.Count(), kills)
}

// live is the time of one sender, to its violent end.
func (r Row) live(t testing.TB, j *Journal, random *rand.Rand) {
	child := r.Sender(j).Start(t)
	end := time.After(time.Duration(20+random.IntN(60)) * time.Millisecond)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			j.Write(random.IntN(40))
			switch random.IntN(40) {
			case 0:
				j.Rotate()
			case 1:
				j.Compress(j.Rotate())
			}
		case <-end:
			child.Kill()
			return
		}
	}
}

// Finish sends the rest.
func (r Row) Finish(t testing.TB, j *Journal) {
	t.Helper()
	last := r.Sender(j)
	last.Once = true
	last.Start(t).Wait(t)
}

// Want looks at what the receiver holds: all n messages, and not more of them twice than the row promises for so many doubts.
func (r Row) Want(t testing.TB, n, doubts int) {
	t.Helper()
	r.WantBut(t, n, doubts, nil)
}

// WantBut is Want of a journal that lost some messages itself.
func (r Row) WantBut(t testing.TB, n, doubts int, lost []int) {
	t.Helper()
	seen := make(map[int]int)
	last, back := -1, 0
	for _, number := range r.Numbers(t) {
		seen[number]++
		if number < last {
			back++
		}
		last = max(last, number)
	}
	for _, number := range lost {
		if seen[number] == 0 {
			seen[number] = 1
		}
	}
	missing, doubled := 0, 0
	for number := range n {
		switch times := seen[number]; {
		case times == 0:
			missing++
		case times > 1:
			doubled += times - 1
		}
	}
	t.Logf("%d messages, %d doubts: %d lost, %d twice", n, doubts, missing, doubled)
	if missing > 0 {
		t.Errorf("lost: %d of %d", missing, n)
	}
	if most := r.Doubles * doubts * batchLines; doubled > most {
		t.Errorf("twice: %d, want at most %d", doubled, most)
	}
	if r.Doubles == Nothing && back > 0 {
		t.Errorf("%d messages stand before an earlier one", back)
	}
	if len(seen) > n {
		t.Errorf("%d messages were never sent", len(seen)-n)
	}
}
