package rotate

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/names"
)

// someLimits are random limits, each of them off now and then.
func someLimits(r *rand.Rand) Options {
	var o Options
	if r.IntN(3) > 0 {
		o.MaxBackups = 1 + r.IntN(12)
	}
	if r.IntN(3) > 0 {
		o.MaxAge = time.Duration(1+r.IntN(200)) * time.Hour
	}
	if r.IntN(3) > 0 {
		o.MaxTotalBytes = 1 + r.Int64N(3000)
	}
	if r.IntN(3) > 0 {
		o.MinFreeBytes = 1 + r.Int64N(3000)
	}
	return o
}

func someStocks(r *rand.Rand, now time.Time) []stock {
	stocks := make([]stock, r.IntN(15))
	made := now.Add(-time.Duration(r.IntN(400)) * time.Hour)
	for i := range stocks {
		stocks[i] = stock{made: made, bytes: r.Int64N(500)}
		made = made.Add(time.Duration(1+r.IntN(40)) * time.Hour)
	}
	return stocks
}

func bytesOf(stocks []stock) (sum int64) {
	for _, b := range stocks {
		sum += b.bytes
	}
	return sum
}

// broken lists the limits that are not kept by these backups, worked out from scratch.
func broken(o Options, stocks, removed []stock, s surroundings) string {
	total, free := s.live+bytesOf(stocks), s.free
	for _, b := range removed {
		free += b.bytes
	}
	var limits []string
	if o.MaxBackups > 0 && len(stocks) > o.MaxBackups {
		limits = append(limits, limitBackups)
	}
	if o.MaxAge > 0 && len(stocks) > 0 && stocks[0].made.Before(s.now.Add(-o.MaxAge)) {
		limits = append(limits, limitAge)
	}
	if o.MaxTotalBytes > 0 && total > o.MaxTotalBytes {
		limits = append(limits, limitTotal)
	}
	if o.MinFreeBytes > 0 && free < o.MinFreeBytes {
		limits = append(limits, limitFree)
	}
	return strings.Join(limits, " ")
}

// TestLimitsHoldTogetherAndTakeNoMoreThanTheyMust: for any backups and limits, each removal has a reason that holds,
// and afterwards all limits are kept, or no backup is left.
func TestLimitsHoldTogetherAndTakeNoMoreThanTheyMust(t *testing.T) {
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 5))
		o, stocks := someLimits(r), someStocks(r, now)
		s := surroundings{now: now, live: r.Int64N(1000), free: r.Int64N(4000)}
		why := o.excess(stocks, bytesOf(stocks), s)
		for i, limit := range why {
			if left := broken(o, stocks[i:], stocks[:i], s); limit == "" || !strings.Contains(left, limit) {
				t.Fatalf("seed %d: backup %d went for %q, but the limits exceeded were %q", seed, i, limit, left)
			}
		}
		if left := broken(o, stocks[len(why):], stocks[:len(why)], s); left != "" && len(why) < len(stocks) {
			t.Fatalf("seed %d: %q still exceeded with %d of %d removed", seed, left, len(why), len(stocks))
		}
	}
}

// TestTidyKeepsTheLimitsOnRealFiles looks at what is on the disk after each step of a random life.
func TestTidyKeepsTheLimitsOnRealFiles(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 6))
		o := someLimits(r)
		o.MinFreeBytes = 0
		c := at("2026-03-28 12:00:00")
		log, said := logged()
		o.Now, o.Log, o.OnRotate, o.NoSync = c.now, log, ownTidier, true
		o.Compression = []Compression{"", Gzip, Zstd}[r.IntN(3)]
		f := open(t, o)
		put(t, f.path+".20200101-000000.bak", "not ours\n")
		for range 30 {
			c.at = c.at.Add(time.Duration(r.IntN(40*60)) * time.Minute)
			write(t, f, strings.Repeat("x", r.IntN(600))+"\n")
			rotate(t, f)
			write(t, f, strings.Repeat("y", r.IntN(300))+"\n")
			if r.IntN(2) == 0 {
				f.Compress(nil)
			}
			f.Tidy()
			checkLimits(t, f, c.at, fmt.Sprintf("seed %d", seed))
		}
		check(t, "removals said", uint64(said("removed the oldest backup")), f.Stats().Removed)
		if _, err := os.Stat(f.path + ".20200101-000000.bak"); err != nil {
			t.Error(err)
		}
	}
}

func checkLimits(t *testing.T, f *File, now time.Time, when string) {
	t.Helper()
	backups, err := names.Backups(f.opts.Dir, f.opts.Name)
	if err != nil {
		t.Fatal(err)
	}
	live, err := os.Stat(f.path)
	if err != nil {
		t.Fatalf("%s: live file: %v", when, err)
	}
	var stocks []stock
	for _, b := range backups {
		info, err := os.Stat(filepath.Join(f.opts.Dir, b.Name))
		if err != nil {
			t.Fatal(err)
		}
		stocks = append(stocks, stock{made: b.Stamp, bytes: info.Size()})
	}
	s := surroundings{now: now, live: live.Size()}
	if left := broken(f.opts, stocks, nil, s); left != "" && len(stocks) > 0 {
		t.Errorf("%s: %q exceeded with %d backups", when, left, len(stocks))
	}
	check(t, when+": backups in the figures", f.Stats().Backups, len(stocks))
}

func TestEachLimitSaysItsNameWhenItRemoves(t *testing.T) {
	for limit, o := range map[string]Options{
		limitBackups: {MaxBackups: 1},
		limitAge:     {MaxAge: time.Hour},
		limitTotal:   {MaxTotalBytes: 4},
		limitFree:    {MinFreeBytes: 1 << 60},
	} {
		t.Run(limit, func(t *testing.T) {
			log, said := logged()
			o.Now, o.OnRotate, o.Log = at("2026-03-28 12:00:00").now, ownTidier, log
			f := open(t, o)
			put(t, f.path+".20260328-100000.gz", "old\n")
			put(t, f.path+".20260328-113000", "new\n")
			f.Tidy()
			if limit != limitFree {
				checkNames(t, f, "", ".20260328-113000")
			}
			check(t, "removal said", said(`"backup":"messages.journal.20260328-100000.gz"`), 1)
			if said(`"limit":"`+limit+`"`) == 0 {
				t.Error("the limit is not named in the log")
			}
		})
	}
}

func TestAgeCountsInTheZoneOfTheNames(t *testing.T) {
	tokyo := time.FixedZone("JST", 9*60*60)
	f := open(t, Options{Now: at("2026-03-28 03:00:00").now, Location: tokyo, MaxAge: time.Hour, OnRotate: ownTidier})
	put(t, f.path+".20260328-113000", "half an hour old\n")
	f.Tidy()
	checkNames(t, f, "", ".20260328-113000")
}

func TestLimitThatCannotBeKeptIsSaidOnceAndTheLiveFileStays(t *testing.T) {
	log, said := logged()
	f := open(t, Options{MaxTotalBytes: 10, OnRotate: ownTidier, Log: log})
	write(t, f, "longer than ten bytes\n")
	for range 3 {
		f.Tidy()
	}
	check(t, "warnings", said("limit cannot be kept"), 1)
	check(t, "live", read(t, f.path), "longer than ten bytes\n")
}

func TestLimitsAreKeptAtTheNextTidyAfterTheDayIsOver(t *testing.T) {
	c := at("2026-03-28 12:00:00")
	f := open(t, Options{MaxAge: 24 * time.Hour, OnRotate: ownTidier, Now: c.now})
	put(t, f.path+".20260328-110000", "one\n")
	f.Tidy()
	checkNames(t, f, "", ".20260328-110000")
	c.at = c.at.Add(23*time.Hour + time.Second)
	f.Tidy()
	checkNames(t, f, "")
}
