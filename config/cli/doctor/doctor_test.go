package doctor

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// probed is an examination of checks that give these rows.
func probed(t *testing.T, looks ...func() Row) []Row {
	t.Helper()
	e := newExamination(t.Context(), Options{Journal: Journal{Dir: "/x y"}})
	var all []check
	for i, look := range looks {
		group := netGroup
		if i == 0 {
			group = diskGroup
		}
		all = append(all, check{"probe", group, func(*examination) Row { return look() }})
	}
	return e.all(all)
}

func TestAChecksThatDoesNotEndIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		hang := make(chan struct{})
		hangs := func() Row { <-hang; return Row{Status: OK} }
		rows := probed(t, hangs, hangs, func() Row { return Row{Status: Note} })
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("got the rows after %v, want them within three seconds", took)
		}
		wantRow(t, rows[0], Fail, "no answer within", "df -h '/x y'")
		wantRow(t, rows[1], Skip, "no answer within")
		wantRow(t, rows[2], Note)
		close(hang)
	})
}

func TestCountersAreReadTwiceAndTheWholeTakesLessThanThreeSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		report := Examine(t.Context(), Options{Proc: t.TempDir(), Sys: t.TempDir(), Only: []string{"udp-drops"}})
		if took := time.Since(began); took < time.Second || took > 2*time.Second {
			t.Errorf("got the report after %v, want the counters read twice, more than a second apart", took)
		}
		if len(report.Rows) != 1 || report.Rows[0].Name != "udp-drops" || report.Rows[0].Group != "net" {
			t.Errorf("got %+v, want the row that was asked for", report.Rows)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began = time.Now()
		Examine(ctx, Options{Proc: t.TempDir(), Sys: t.TempDir(), Only: []string{"udp-drops"}})
		if took := time.Since(began); took > 0 {
			t.Errorf("got the end %v after the context's, want it at once", took)
		}
	})
}

// On a system without /proc and /sys all that needs them is skipped, with a word, and nothing fails.
func TestWithoutProcNothingFails(t *testing.T) {
	o := Options{
		Root: t.TempDir(), Proc: t.TempDir(), Sys: t.TempDir(), Interval: time.Nanosecond, UID: 65532,
		Listen: []string{"127.0.0.1:0"}, BufferBytes: 8192, Journal: Journal{Dir: t.TempDir() + "/x", Name: "j"},
	}
	report := Examine(t.Context(), o)
	if len(report.Rows) != len(checks()) {
		t.Errorf("got %d rows, want one for each of %d checks", len(report.Rows), len(checks()))
	}
	for _, r := range report.Rows {
		if r.Status == Fail || r.Measured == "" {
			t.Errorf("got %s %s: %q, want no failure, and a word", r.Status, r.Name, r.Measured)
		}
		needs := []string{"own-drops", "udp-drops", "backlog", "nic", "conntrack", "memory", "cpu", "open-files", "file-size", "file-system", "udp-mem", "ipv6", "gateway"}
		if slices.Contains(needs, r.Name) && r.Status != Skip {
			t.Errorf("got %s %s: %q, want it skipped", r.Status, r.Name, r.Measured)
		}
	}
}

func TestTheVerdictIsTheWorstRow(t *testing.T) {
	f := func(only string, want Status) {
		t.Helper()
		o := Options{Proc: t.TempDir(), Only: strings.Split(only, ","), Config: ConfigState{Warnings: []string{"w"}}, Journal: Journal{Dir: "/dev/null", Name: "j"}}
		if got := Examine(t.Context(), o).Verdict; got != want {
			t.Errorf("%s: got the verdict %s, want %s", only, got, want)
		}
	}
	f("open-files", OK) // skipped
	f("daemon", Note)
	f("daemon,settings", Warn)
	f("settings,directory,daemon", Fail)
}

func TestACureIsQuotedForAShell(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := Quoted(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	f("/var/log/heartbeat", "/var/log/heartbeat")
	f("/x y", "'/x y'")
	f("/it's $HOME", `'/it'\''s $HOME'`)
	f("", "''")
	if got := processorMask(40); got != "ff,ffffffff" {
		t.Errorf("got the mask %s of 40 processors, want ff,ffffffff", got)
	}
}
