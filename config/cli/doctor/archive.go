package doctor

import (
	"fmt"
	"strings"
	"time"
)

// Archive is that of a fleet, as the settings have it.
type Archive struct {
	From string // the stream, without its secrets; "": nothing is archived, and its rows are skipped
	Name string // of this archiver
	Addr string // of its status; off: none

	// Settings says which settings an archive cannot have.
	Settings func() error
	// Stream looks at the stream and its bucket; nil: the engine has none.
	Stream func() (ArchiveStream, error)
	// Monitor asks a server how it syncs; nil: no address of its monitoring is known.
	Monitor func() (Syncs, error)
}

// ArchiveStream is what was found of a stream and its bucket.
type ArchiveStream struct {
	Missing  []string // of the two
	Differs  []string // how they differ from what is needed
	Copies   int      // of the stream, as it was made
	Current  int      // of these, that are up
	Behind   uint64   // messages that the slowest of these lacks
	Bytes    int64
	MaxBytes int64 // 0: no limit
	Messages uint64
	Oldest   time.Time // of the messages; zero: there are none
}

// Syncs is how a server of NATS writes to its disk.
type Syncs struct {
	Always bool
	Every  time.Duration
}

func archiveChecks() []check {
	all := []check{
		{"archive-settings", "archive", (*examination).archiveSettings},
		{"archive-address", "archive", (*examination).archiveAddress},
		{"archive-stream", "archive", (*examination).archiveStream},
		{"archive-room", "archive", (*examination).archiveRoom},
		{"archive-lag", "archive", (*examination).archiveLag},
		{"archive-sync", "archive", (*examination).archiveSync},
	}
	for i, c := range all {
		all[i].look = func(e *examination) Row {
			if e.Archive.From == "" {
				return skip("nothing is archived here: archive_from is empty")
			}
			return c.look(e)
		}
	}
	return all
}

func (e *examination) archiveSettings() Row {
	if err := e.Archive.Settings(); err != nil {
		return Row{Status: Fail, Measured: "the archive would not start: " + oneLine(err.Error()), Cure: "hbjournal archive --help # settings of its own, by --config"}
	}
	return Row{Status: OK, Measured: fmt.Sprintf("archiver %s reads %s", e.Archive.Name, e.Archive.From)}
}

// archiveAddress looks whether the archive can have its address, or has it.
func (e *examination) archiveAddress() Row {
	if e.Archive.Addr == "" || e.Archive.Addr == "off" {
		return skip("http_addr is off")
	}
	return e.address(service{addr: e.Archive.Addr, command: "archive", what: "the archive", instead: "export HTTP_ADDR=127.0.0.1:9515", row: "archive-address"})
}

// ofStream is the row of a look at the stream, which judge makes.
func (e *examination) ofStream(judge func(ArchiveStream) Row) Row {
	if e.Archive.Stream == nil {
		return skip("a topic of Kafka is not looked at")
	}
	found, err := e.stream()
	if err != nil {
		return Row{
			Status: Warn, Measured: e.Archive.From + ": " + oneLine(err.Error()), Limit: "can be reached, and takes the login",
			Cure: "hbjournal archive --init # says more; with the same settings",
		}
	}
	if len(found.Missing) > 0 {
		return Row{Status: Warn, Measured: "there is no " + strings.Join(found.Missing, ", and no "), Cure: "hbjournal archive --init # makes what is missing, with the same settings"}
	}
	return judge(found)
}

// archiveStream looks at how stream and bucket are made, and at their copies.
func (e *examination) archiveStream() Row {
	return e.ofStream(func(s ArchiveStream) Row {
		r := Row{Status: OK, Measured: fmt.Sprintf("%d of %d copies are up", s.Current, s.Copies), Limit: "3 copies, each on its own server"}
		switch {
		case len(s.Differs) > 0:
			r.Status, r.Measured = Warn, strings.Join(s.Differs, "; ")
			r.Cure = "nats stream edit # as 'hbjournal archive --init' says"
		case s.Current < s.Copies:
			r.Status, r.Cure = Warn, "nats server report jetstream # then start what is down"
		case s.Behind > lagWorth:
			r.Status, r.Measured = Note, r.Measured+fmt.Sprintf(", one is %d messages behind", s.Behind)
		case s.Copies == 1:
			r.Status, r.Measured = Note, "one copy: what its server loses, the receivers send again as long as they have it"
		}
		return r
	})
}

// lagWorth is from how many messages on a copy that is behind is worth a word.
const lagWorth = 1000

// fullWorth is how much of the room of a stream may be taken, in percent.
const fullWorth = 80

func (e *examination) archiveRoom() Row {
	return e.ofStream(func(s ArchiveStream) Row {
		r := Row{Status: OK, Measured: fmt.Sprintf("%s in %d messages", bytesText(s.Bytes), s.Messages)}
		if s.MaxBytes <= 0 {
			r.Status, r.Limit = Note, "max_bytes has no limit: the servers' disks are it"
			r.Cure = "nats stream edit --max-bytes=10GiB HBJ # less than the servers have"
			return r
		}
		r.Limit = "max_bytes=" + bytesText(s.MaxBytes)
		if taken := float64(s.Bytes) / float64(s.MaxBytes) * 100; taken > fullWorth {
			r.Status, r.Measured = Warn, r.Measured+fmt.Sprintf(": %.0f %%; once it is full the receivers wait", taken)
			r.Cure = "hbjournal archive --forget NAME # if an archiver is gone for good; else it only has to come back"
		}
		return r
	})
}

// waitsWorth is how long a message may wait for an archiver.
const waitsWorth = 5 * time.Minute

// archiveLag looks at how long the oldest message has waited: what all archivers have is purged.
func (e *examination) archiveLag() Row {
	return e.ofStream(func(s ArchiveStream) Row {
		r := Row{Status: OK, Measured: "nothing waits", Limit: "purged when all archivers have it"}
		if s.Messages == 0 || s.Oldest.IsZero() {
			return r
		}
		age := max(e.Now().Sub(s.Oldest), 0).Round(time.Second)
		r.Measured = fmt.Sprintf("%d messages wait for the slowest archiver, the oldest for %v", s.Messages, age)
		if age > waitsWorth {
			r.Status, r.Cure = Warn, "hbjournal verify --fleet "+Quoted(e.Archive.From)+" "+Quoted(e.Journal.Dir)+" # who is behind; an archiver that is gone for good: hbjournal archive --forget NAME"
		}
		return r
	})
}

func (e *examination) archiveSync() Row {
	if e.Archive.Monitor == nil {
		return skip("how the servers sync is not known: give --nats-monitor http://HOST:8222")
	}
	syncs, err := e.Archive.Monitor()
	switch {
	case err != nil:
		return skip(oneLine(err.Error()))
	case syncs.Always:
		return Row{Status: OK, Measured: "it syncs always", Limit: "sync_interval: always"}
	}
	return Row{
		Status: Note, Measured: fmt.Sprintf("it syncs every %v: a power cut takes what it had acknowledged, and it has to be sent again", syncs.Every),
		Limit: "sync_interval: always",
		Cure:  "nats-server --signal reload # after jetstream { sync_interval: always } in its file, and a restart where that does not suffice",
	}
}
