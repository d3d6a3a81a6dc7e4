package sender

import (
	"context"
	"errors"
	"testing"
	"time"
)

// dueAt asks a pacer that started at zero how many datagrams are due at d, and takes them as sent.
func dueAt(p *Pacer, zero time.Time, d time.Duration) int {
	n := p.due(zero.Add(d))
	p.done += n
	return n
}

func TestScheduleIsAbsolute(t *testing.T) {
	for _, rate := range []float64{0.5, 1, 3, 999.7, 100_000, 333_333} {
		p := Pace{Rate: rate}.Start()
		zero, total := p.start, 0
		// Wake-ups that do not fall on due times: none of them may add or lose a datagram.
		for d := time.Duration(0); d < 10*time.Second; d += time.Second / 97 {
			for {
				n := dueAt(p, zero, d)
				if n == 0 {
					break
				}
				total += n
			}
			if want := 1 + int(d.Seconds()*rate); total != want {
				t.Fatalf("rate %v after %v: got %d datagrams, want %d", rate, d, total, want)
			}
		}
	}
}

func TestDelayOverASecondMovesTheSchedule(t *testing.T) {
	p := Pace{Rate: 1000}.Start()
	zero := p.start
	f := func(d time.Duration, want int) {
		t.Helper()
		if got := dueAt(p, zero, d); got != want {
			t.Errorf("at %v: got %d, want %d", d, got, want)
		}
	}
	f(0, 1)
	f(500*time.Millisecond, 500)
	f(time.Minute, 1)
	f(time.Minute, 0)
	f(time.Minute+10*time.Millisecond, 10)
}

func TestCountAndDurationEndTheSchedule(t *testing.T) {
	f := func(name string, pace Pace, want int) {
		t.Helper()
		p, total := pace.Start(), 0
		for {
			n, err := p.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			total += n
		}
		if total != want {
			t.Errorf("%s: got %d, want %d", name, total, want)
		}
	}
	f("count without a rate", Pace{Count: 5000}, 5000)
	f("count before the time", Pace{Rate: 1e6, Count: 3000, Duration: time.Minute}, 3000)
	f("time before the count", Pace{Rate: 100, Count: 3000, Duration: 45 * time.Millisecond}, 5)
	f("time without a count", Pace{Rate: 1, Duration: 20 * time.Millisecond}, 1)
}

func TestRateIsKept(t *testing.T) {
	p := Pace{Rate: 20_000, Count: 4001}.Start()
	wakes := 0
	for n, err := p.Next(t.Context()); n > 0; n, err = p.Next(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		wakes++
	}
	// The last of 4001 is due exactly 200 ms after the first; how much later it comes is up to the machine.
	if got := time.Since(p.start); got < 200*time.Millisecond {
		t.Errorf("4001 datagrams at 20000/s took %v, want at least 200ms", got)
	}
	if most := int(200*time.Millisecond/wakeInterval) + 1; wakes > most {
		t.Errorf("got %d wake-ups, want at most %d", wakes, most)
	}
}

func TestBusySenderWaitsForAQuantumInsteadOfTakingEverSmallerBatches(t *testing.T) {
	p := Pace{Rate: 100_000, Count: 2_001}.Start()
	for total := 0; total < 2_001; {
		for p.due(time.Now()) == 0 { // The sender is so busy with a batch that the next datagram is due already.
		}
		n, err := p.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if total += n; n < 26 && total < 2_001 {
			t.Fatalf("got %d datagrams after %d, want the 26 of 250 µs", n, total-n)
		}
	}
}

func TestRateBeyondWhatIsDueAtOnceIsSentAsFastAsItGoes(t *testing.T) {
	p := Pace{Rate: 1e9, Count: 5_000}.Start()
	for total := 0; total < 5_000; {
		n, err := p.Next(t.Context())
		if err != nil || n == 0 {
			t.Fatalf("got %d, %v after %d datagrams of 5000", n, err, total)
		}
		total += n
	}
}

func TestCancelledContextEndsTheWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := Pace{Rate: 0.001}.Start()
	if n, err := p.Next(ctx); n != 1 || err != nil {
		t.Fatalf("got %d, %v, want 1 datagram at once", n, err)
	}
	cancel()
	if _, err := p.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
