package rotate

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hbjournal/sink/names"
	_ "time/tzdata" // The tests do not depend on the machine's zones.
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestPeriodsEndByTheWallClock(t *testing.T) {
	const layout = "2006-01-02 15:04:05 -0700"
	f := func(zoneName string, every time.Duration, from, want string) {
		t.Helper()
		z := zone(t, zoneName)
		start, err := time.Parse(layout, from)
		if err != nil {
			t.Fatal(err)
		}
		if got := (schedule{every, z}).next(start).In(z).Format(layout); got != want {
			t.Errorf("%s, every %v, from %s: got %s, want %s", zoneName, every, from, got, want)
		}
	}
	f("UTC", time.Hour, "2026-03-28 12:00:00 +0000", "2026-03-28 13:00:00 +0000")
	f("UTC", time.Hour, "2026-03-28 12:59:59 +0000", "2026-03-28 13:00:00 +0000")
	f("UTC", day, "2026-12-31 23:59:59 +0000", "2027-01-01 00:00:00 +0000")
	f("UTC", week, "2026-03-28 12:00:00 +0000", "2026-03-30 00:00:00 +0000")
	f("UTC", week, "2026-03-30 00:00:00 +0000", "2026-04-06 00:00:00 +0000")
	f("UTC", 6*time.Hour, "2026-03-28 12:30:00 +0000", "2026-03-28 18:00:00 +0000")
	f("UTC", 90*time.Second, "1969-12-31 23:59:00 +0000", "1970-01-01 00:00:00 +0000")
	f("Asia/Kolkata", day, "2026-03-28 12:00:00 +0530", "2026-03-29 00:00:00 +0530")

	// The clock goes from 02:00 to 03:00.
	f("Europe/Berlin", time.Hour, "2026-03-29 01:30:00 +0100", "2026-03-29 03:00:00 +0200")
	f("Europe/Berlin", day, "2026-03-29 00:00:00 +0100", "2026-03-30 00:00:00 +0200")
	f("Europe/Berlin", 6*time.Hour, "2026-03-29 00:00:00 +0100", "2026-03-29 06:00:00 +0200")
	// The clock goes from 03:00 back to 02:00: the hour that comes twice is two periods.
	f("Europe/Berlin", time.Hour, "2026-10-25 02:30:00 +0200", "2026-10-25 02:00:00 +0100")
	f("Europe/Berlin", time.Hour, "2026-10-25 02:00:00 +0100", "2026-10-25 03:00:00 +0100")
	f("Europe/Berlin", 30*time.Minute, "2026-10-25 02:45:00 +0200", "2026-10-25 02:00:00 +0100")
	f("Europe/Berlin", 3*time.Hour, "2026-10-25 00:00:00 +0200", "2026-10-25 03:00:00 +0100")
	f("Europe/Berlin", week, "2026-10-25 12:00:00 +0100", "2026-10-26 00:00:00 +0100")
	// Half an hour of summer time.
	f("Australia/Lord_Howe", time.Hour, "2026-04-05 01:10:00 +1100", "2026-04-05 02:00:00 +1030")
	f("Australia/Lord_Howe", day, "2026-04-05 00:00:00 +1100", "2026-04-06 00:00:00 +1030")
	// Days without a midnight, with two, and with a second last hour.
	f("Africa/Cairo", day, "2026-04-23 12:00:00 +0200", "2026-04-24 01:00:00 +0300")
	f("America/Havana", day, "2026-10-31 12:00:00 -0400", "2026-11-01 00:00:00 -0400")
	f("America/Havana", day, "2026-11-01 00:00:00 -0400", "2026-11-02 00:00:00 -0500")
	f("America/Santiago", day, "2026-04-04 12:00:00 -0300", "2026-04-05 00:00:00 -0400")
}

func TestPeriodsFollowOneAnotherForYears(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana"} {
		for _, every := range []time.Duration{20 * time.Minute, time.Hour, 5 * time.Hour, day, week} {
			s := schedule{every, zone(t, name)}
			at := time.Date(2024, 1, 1, 0, 0, 0, 0, s.zone)
			for end := at.AddDate(2, 0, 0); at.Before(end); {
				next := s.next(at)
				if took := next.Sub(at); took <= 0 || took > every+time.Hour {
					t.Fatalf("%s: the period of %v after %v ends %v later", name, every, at, took)
				}
				if again := s.next(next.Add(-1)); !again.Equal(next) {
					t.Fatalf("%s: just before its end at %v a period of %v ends at %v", name, next, every, again)
				}
				at = next
			}
		}
	}
}

// stampedLine is a line that tells when it was written; stampOf reads it.
func stampedLine(t time.Time) string { return t.Format(time.RFC3339Nano) + "\n" }

func stampOf(line []byte) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, string(line))
	return t, err == nil
}

// TestAYearOfTimeRotations lives through a year with both daylight-saving edges, in two zones: traffic that comes and
// goes, restarts at any moment, and a look at the clock every half hour.
func TestAYearOfTimeRotations(t *testing.T) {
	labels := map[time.Duration]func(time.Time) string{
		time.Hour: func(t time.Time) string { return t.Format("2006-01-02 15 -0700") },
		day:       func(t time.Time) string { return t.Format("2006-01-02") },
		week: func(t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprint(year, " ", week)
		},
	}
	for _, zoneName := range []string{"Europe/Berlin", "America/New_York"} {
		for every, label := range labels {
			t.Run(fmt.Sprint(zoneName, " ", every), func(t *testing.T) {
				z := zone(t, zoneName)
				o := Options{Dir: t.TempDir(), RotateEvery: every, Location: z, WrittenAt: stampOf, OnRotate: ownTidier, NoSync: true}
				synctest.Test(t, func(t *testing.T) {
					wrote := liveAYear(t, o, rand.New(rand.NewPCG(uint64(every), 7)))
					checkYear(t, o, label, wrote)
				})
			})
		}
	}
}

// liveAYear returns how many lines it has written.
func liveAYear(t *testing.T, o Options, r *rand.Rand) (wrote int) {
	f := open(t, o)
	quiet := 0
	for end := time.Now().AddDate(1, 0, 0); time.Now().Before(end); time.Sleep(30 * time.Minute) { //nolint:forbidigo // In the fake time of synctest.
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
		switch {
		case quiet > 0:
			quiet--
		case r.IntN(300) == 0:
			quiet = r.IntN(300)
		case r.IntN(2) == 0:
			write(t, f, stampedLine(time.Now()))
			wrote++
		}
		if r.IntN(1500) == 0 {
			f.Close()
			f = open(t, o)
		}
	}
	f.Close()
	return wrote
}

// checkYear checks that each file is exactly one period, and was rotated at its end.
func checkYear(t *testing.T, o Options, label func(time.Time) string, wrote int) {
	t.Helper()
	backups, err := names.Backups(o.Dir, name)
	if err != nil {
		t.Fatal(err)
	}
	last, lines := "", 0
	for _, b := range backups {
		text := strings.Split(strings.TrimSpace(read(t, filepath.Join(o.Dir, b.Name))), "\n")
		period := ""
		for _, line := range text {
			written, ok := stampOf([]byte(line))
			if !ok {
				t.Fatalf("%s holds %q", b.Name, line)
			}
			if p := label(written.In(o.Location)); period == "" || p == period {
				period = p
				continue
			}
			t.Fatalf("%s: lines of %s and of %s", b.Name, period, label(written.In(o.Location)))
		}
		if period == last {
			t.Fatalf("%s: %s is in two files", b.Name, period)
		}
		if b.Stamp.Minute() != 0 || b.Stamp.Second() > 1 { // The hour that comes twice has its name twice.
			t.Fatalf("%s was not rotated at the end of its period", b.Name)
		}
		last = period
		lines += len(text)
	}
	live := strings.Count(read(t, filepath.Join(o.Dir, name)), "\n")
	check(t, "lines", lines+live, wrote)
	if len(backups) < 40 {
		t.Errorf("got %d backups in a year", len(backups))
	}
}

func TestTimeRotationNeedsNoTrafficAndMakesNoEmptyBackup(t *testing.T) {
	c := at("2026-03-28 12:30:00")
	f := open(t, Options{RotateEvery: time.Hour, Now: c.now, OnRotate: ownTidier, WrittenAt: stampOf})
	write(t, f, stampedLine(c.at))
	for range 5 {
		c.at = c.at.Add(30 * time.Minute)
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
	}
	checkNames(t, f, "", ".20260328-130000")
	check(t, "rotations", f.Stats().Rotations["time"], 1)
}

func TestPeriodIsThatOfTheFirstLineAfterARestart(t *testing.T) {
	c := at("2026-03-28 13:30:00")
	o := Options{Dir: t.TempDir(), RotateEvery: time.Hour, Now: c.now, WrittenAt: stampOf, OnRotate: ownTidier}
	live := filepath.Join(o.Dir, name)
	put(t, live, stampedLine(c.at.Add(-20*time.Minute)))
	f := open(t, o)
	write(t, f, stampedLine(c.at))
	checkNames(t, f, "")
	f.Close()
	c.at = c.at.Add(time.Hour)
	f = open(t, o)
	write(t, f, stampedLine(c.at))
	checkNames(t, f, "", ".20260328-143000")
}

func TestFileWithoutATimeIsOfThePeriodOfItsLastChange(t *testing.T) {
	c := at("2026-03-28 13:30:00")
	o := Options{Dir: t.TempDir(), RotateEvery: time.Hour, Now: c.now, WrittenAt: stampOf, OnRotate: ownTidier}
	live := filepath.Join(o.Dir, name)
	put(t, live, "no time\n")
	old := c.at.Add(-time.Hour)
	if err := os.Chtimes(live, old, old); err != nil {
		t.Fatal(err)
	}
	f := open(t, o)
	if err := f.Check(); err != nil {
		t.Fatal(err)
	}
	checkNames(t, f, "", ".20260328-133000")
}

func TestClockSetBackDoesNotPutTheRotationOff(t *testing.T) {
	c := at("2027-03-28 12:30:00")
	f := open(t, Options{RotateEvery: time.Hour, Now: c.now, OnRotate: ownTidier, WrittenAt: stampOf})
	write(t, f, stampedLine(c.at))
	c.at = c.at.AddDate(-1, 0, 0)
	for range 2 {
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
		c.at = c.at.Add(30 * time.Minute)
	}
	checkNames(t, f, "", ".20260328-130000")
}
