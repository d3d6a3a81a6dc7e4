package doctor

import (
	"errors"
	"testing"
	"time"
)

// archives is a machine with an archive.
func archives(set func(*Archive)) machine {
	return machine{set: func(o *Options) {
		o.Now = time.Now
		o.Archive = Archive{From: "nats://n1", Name: "a", Addr: "127.0.0.1:0", Settings: func() error { return nil }}
		if set != nil {
			set(&o.Archive)
		}
	}}
}

func TestWithoutAnArchiveItsRowsAreSkipped(t *testing.T) {
	for _, c := range archiveChecks() {
		wantRow(t, machine{}.examine(t).look(t, c.name), Skip, "archive_from is empty")
	}
}

func TestSettingsAndAddressOfAnArchive(t *testing.T) {
	wantRow(t, archives(nil).examine(t).look(t, "archive-settings"), OK, "archiver a reads nats://n1")
	wrong := archives(func(a *Archive) {
		a.Settings = func() error { return errors.New("journal_sign_key does not go with archive") }
	})
	wantRow(t, wrong.examine(t).look(t, "archive-settings"), Fail, "would not start", "journal_sign_key")
	wantRow(t, archives(nil).examine(t).look(t, "archive-address"), OK, "is free")
	wantRow(t, archives(func(a *Archive) { a.Addr = "off" }).examine(t).look(t, "archive-address"), Skip, "http_addr is off")
	wantRow(t, archives(func(a *Archive) { a.Addr = "192.0.2.7:0" }).examine(t).look(t, "archive-address"), Warn, "the archive would not start", "HTTP_ADDR=")
	m := archives(func(a *Archive) { a.Addr = "127.0.0.1:9504" })
	m.files = map[string]string{"proc/net/tcp": tcp, "proc/78/comm": "hbjournal\n", "proc/78/cmdline": "hbjournal\x00archive\x00", "proc/78/fd/3": "-> socket:[4712]"}
	wantRow(t, m.examine(t).look(t, "archive-address"), OK, "held by the archive, pid 78")
}

func TestStreamOfAnArchive(t *testing.T) {
	good := ArchiveStream{Copies: 3, Current: 3, Bytes: 1 << 20, MaxBytes: 1 << 30, Messages: 2, Oldest: time.Now()}
	f := func(name string, change func(*ArchiveStream), status Status, texts ...string) {
		t.Helper()
		found := good
		change(&found)
		m := archives(func(a *Archive) { a.Stream = func() (ArchiveStream, error) { return found, nil } })
		wantRow(t, m.examine(t).look(t, name), status, texts...)
	}
	f("archive-stream", func(*ArchiveStream) {}, OK, "3 of 3 copies are up")
	f("archive-stream", func(s *ArchiveStream) { s.Current = 2 }, Warn, "2 of 3 copies are up")
	f("archive-stream", func(s *ArchiveStream) { s.Behind = 5000 }, Note, "one is 5000 messages behind")
	f("archive-stream", func(s *ArchiveStream) { s.Copies, s.Current = 1, 1 }, Note, "one copy")
	f("archive-stream", func(s *ArchiveStream) { s.Differs = []string{"HBJ: discard is old"} }, Warn, "discard is old", "--init")
	f("archive-stream", func(s *ArchiveStream) { s.Missing = []string{"stream HBJ", "bucket KV_HBJ"} }, Warn, "there is no stream HBJ, and no bucket KV_HBJ", "--init")
	f("archive-room", func(*ArchiveStream) {}, OK, "1.0 MiB in 2 messages", "max_bytes=1.0 GiB")
	f("archive-room", func(s *ArchiveStream) { s.Bytes = s.MaxBytes * 9 / 10 }, Warn, "90 %", "--forget")
	f("archive-room", func(s *ArchiveStream) { s.MaxBytes = -1 }, Note, "no limit")
	f("archive-lag", func(*ArchiveStream) {}, OK, "2 messages wait for the slowest archiver")
	f("archive-lag", func(s *ArchiveStream) { s.Messages = 0 }, OK, "nothing waits")
	f("archive-lag", func(s *ArchiveStream) { s.Oldest = time.Now().Add(-time.Hour) }, Warn, "the oldest for 1h0m", "--forget")
	for _, name := range []string{"archive-stream", "archive-room", "archive-lag"} {
		m := archives(func(a *Archive) {
			a.Stream = func() (ArchiveStream, error) { return ArchiveStream{}, errors.New("connect: refused") }
		})
		wantRow(t, m.examine(t).look(t, name), Warn, "nats://n1: connect: refused", "hbjournal archive --init")
		wantRow(t, archives(nil).examine(t).look(t, name), Skip, "Kafka")
	}
}

func TestHowTheServersSync(t *testing.T) {
	f := func(s Syncs, err error, status Status, texts ...string) {
		t.Helper()
		m := archives(func(a *Archive) { a.Monitor = func() (Syncs, error) { return s, err } })
		wantRow(t, m.examine(t).look(t, "archive-sync"), status, texts...)
	}
	f(Syncs{Always: true}, nil, OK, "always")
	f(Syncs{Every: 2 * time.Minute}, nil, Note, "it syncs every 2m0s", "sync_interval: always")
	f(Syncs{}, errors.New("no nats-server"), Skip, "no nats-server")
	wantRow(t, archives(nil).examine(t).look(t, "archive-sync"), Skip, "--nats-monitor")
}
