package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hbjournal/sink/forward/stream"
)

// A kill between a rotation and the first line in the new file leaves that empty.
func TestAnEmptyLiveFileAfterARotationHoldsUpNothing(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.read()
	live := filepath.Join(a.dir, "rx", "messages.journal")
	if err := os.Rename(live, live+".20261126-100000"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(live, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	a.engine.put(message(t, "rx", "j", 10, lines(10, 20), none))
	a.run(func(f Figures) bool { return f.Lines >= 10 })
	a.want("rx", lines(0, 20))
}

func TestABucketMadeAnewIsNotForgottenAfterOneError(t *testing.T) {
	const plain = "NATS/1.0\r\n\r\n"
	var created, fail atomic.Int32
	created.Store(10)
	s := newFakeServer(t, func(subject string, say func(header, body string)) {
		switch {
		case strings.HasPrefix(subject, "$JS.API.STREAM.INFO."):
			say(plain, fmt.Sprintf(`{"created":"2026-11-26T%d:00:00Z","config":{},"state":{}}`, created.Load()))
		case strings.HasPrefix(subject, "$JS.API.CONSUMER.CREATE."):
			say(plain, `{"name":"c1"}`)
		case strings.HasPrefix(subject, "$JS.API.CONSUMER.MSG.NEXT."):
			if fail.Add(-1) >= 0 {
				say("NATS/1.0 503\r\n\r\n", "")
			} else {
				say("NATS/1.0 404 No Messages\r\n\r\n", "")
			}
		}
	})
	b := NewNATSBucket(stream.Servers{Hosts: []string{s.addr}, Timeout: 5 * time.Second}, "HBJ", "HBJ")
	defer b.Close()
	if _, anew, err := b.Poll(t.Context()); err != nil || !anew {
		t.Fatal(anew, err)
	}
	created.Store(11) // The bucket is made anew, and its consumer is gone:
	fail.Store(2)     // that of before, and that of the first try after it.
	for range 2 {
		if _, _, err := b.Poll(t.Context()); err == nil {
			t.Fatal("no error")
		}
	}
	_, anew, err := b.Poll(t.Context())
	if err != nil || !anew {
		t.Errorf("anew is %v, %v; want true: what was said stands in no bucket", anew, err)
	}
}

// The numbers of messages begin anew in a stream that was made anew.
func TestAStreamMadeAnewIsNotPurgedByNumbersOfTheOldOne(t *testing.T) {
	const plain = "NATS/1.0\r\n\r\n"
	var purged atomic.Int32
	s := newFakeServer(t, func(subject string, say func(header, body string)) {
		switch {
		case strings.HasPrefix(subject, "$JS.API.STREAM.INFO.HBJ"): // Made anew at 11:00, 300 messages in it.
			say(plain, `{"created":"2026-11-26T11:00:00Z","config":{},"state":{"first_seq":1,"last_seq":300}}`)
		case strings.HasPrefix(subject, "$JS.API.STREAM.PURGE.HBJ"):
			purged.Add(1)
			say(plain, `{"success":true,"purged":300}`)
		}
	})
	a := newArchive(t)
	o := a.options()
	b := NewNATSBucket(stream.Servers{Hosts: []string{s.addr}, Timeout: 5 * time.Second}, "HBJ", "HBJ")
	defer b.Close()
	o.Bucket = b
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	talk := newTalk(o)
	talk.told = progress{Position{Stream: "2026-11-26T10:00:00Z", Offsets: map[int32]uint64{0: 1000}}, map[string]uint64{"rx": 1000}}
	if err := talk.purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if purged.Load() != 0 {
		t.Error("300 messages that nobody has read were purged")
	}
}

func TestAPositionIsNotSavedBeyondLinesWhenTheProgramEnds(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.read()
	live := filepath.Join(a.dir, "rx", "messages.journal")
	file, err := os.OpenFile(live, os.O_APPEND|os.O_WRONLY, 0) // killed behind a write
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.Write(lines(10, 15))
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	o := a.options()
	o.Bucket = nil // as with Kafka
	archiver, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer archiver.Close()
	archiver.began(Position{Stream: "one", Offsets: map[int32]uint64{0: 1}})
	m := message(t, "rx", "j", 10, lines(10, 20), none)
	m.Offset = 2
	archiver.message(m)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = archiver.round(ctx)
	p := archiver.loadPosition()
	place, errPlace := archiver.receivers["rx"].placeFile().read()
	if p.Offsets[0] != 1 {
		t.Errorf("round says %v; the position on the disk is %d, and the receiver's place is line %d (%v)", err, p.Offsets[0], place.Number, errPlace)
	}
}

func TestAHungServerDoesNotTakeTheTimeOfTheOthers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // The kernel accepts, and nothing is ever said: a process that is stopped.
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newFakeServer(t, func(string, func(string, string)) {})
	failed := 0
	for range 4 {
		c := stream.Client{Servers: stream.Servers{Hosts: []string{l.Addr().String(), s.addr}, Timeout: 5 * time.Second}}
		if err := c.Dial(t.Context()); err != nil {
			failed++
			t.Log(err)
		}
		c.Close()
	}
	if failed > 0 {
		t.Errorf("%d of 4 dials failed, although one of the servers lives", failed)
	}
}

func TestAReceiverWithoutPlaceHereIsNotPurgedForAnotherArchiver(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.read()
	if err := os.Remove(filepath.Join(a.dir, "rx/.messages.journal.d/archive/position")); err != nil {
		t.Fatal(err)
	}
	clear(a.bucket.values)
	a.bucket.values["archiver.b"] = []byte(`{}`) // It is down: it has confirmed nothing.
	a.engine.put(message(t, "rx", "j", 10, lines(10, 20), none))
	archiver, err := Open(a.options())
	if err != nil {
		t.Fatal(err)
	}
	defer archiver.Close()
	archiver.began(Position{Stream: "one", Offsets: map[int32]uint64{0: 1}})
	m := a.engine.all[1]
	archiver.message(m)
	if err := archiver.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := archiver.talk.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.bucket.purged > 0 {
		t.Errorf("purged up to message %d, which archiver b has not confirmed", a.bucket.purged)
	}
}

// busyBucket has the work go on while something is put.
type busyBucket struct {
	*fakeBucket
	meanwhile func()
}

func (b *busyBucket) Put(ctx context.Context, key string, value []byte) error {
	if f := b.meanwhile; f != nil {
		b.meanwhile = nil
		f()
	}
	return b.fakeBucket.Put(ctx, key, value)
}

// pickyBucket may not be written under some keys.
type pickyBucket struct {
	*fakeBucket
	refused []string
}

func (b *pickyBucket) Put(ctx context.Context, key string, value []byte) error {
	if slices.Contains(b.refused, key) {
		return errors.New("permissions violation")
	}
	return b.fakeBucket.Put(ctx, key, value)
}

func TestAKeyThatMayNotBePutHoldsUpNoOther(t *testing.T) {
	a := newArchive(t)
	o := a.options()
	b := &pickyBucket{a.bucket, []string{"archiver.a", "ask.a.rx"}}
	o.Bucket = b
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	talk := newTalk(o)
	talk.ask("rx", stream.Request{Journal: "j", ID: "1"})
	talk.confirm("rx", stream.Confirmation{Journal: "j", Number: 10})
	for range len(b.refused) + 1 {
		if err := talk.round(t.Context()); err == nil {
			t.Error("no error")
		}
	}
	var c stream.Confirmation
	if !b.get(t, "confirmed.a.rx", &c) || c.Number != 10 {
		t.Errorf("confirmed %+v", c)
	}
	b.refused = nil
	if err := talk.round(t.Context()); err != nil || len(talk.failed) > 0 {
		t.Errorf("got %v, and %v failed", err, talk.failed)
	}
}

func TestAKeyThatMayNotBePutDoesNotHoldUpPurging(t *testing.T) {
	a := newArchive(t)
	o := a.options()
	o.Bucket = &pickyBucket{a.bucket, []string{"ask.a.other"}}
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	talk := newTalk(o)
	talk.ask("other", stream.Request{Journal: "j", ID: "1"})
	talk.confirm("rx", stream.Confirmation{Journal: "j", Number: 10, Sequence: 10, Stream: "s"})
	talk.progress(Position{Stream: "s", Offsets: map[int32]uint64{0: 10}}, map[string]uint64{"rx": 10})
	for range 10 {
		_ = talk.round(t.Context())
	}
	if a.bucket.purged == 0 {
		t.Error("nothing is ever purged")
	}
}

func TestNothingIsPurgedThatIsNotConfirmedInTheBucket(t *testing.T) {
	a := newArchive(t)
	o := a.options()
	b := &busyBucket{fakeBucket: a.bucket}
	o.Bucket = b
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	talk := newTalk(o)
	written := func(n uint64) { // as round and flush do
		talk.confirm("rx", stream.Confirmation{Journal: "j", Number: int64(n), Sequence: n, Stream: "s"})
		talk.progress(Position{Stream: "s", Offsets: map[int32]uint64{0: n}}, map[string]uint64{"rx": n})
	}
	written(10)
	b.meanwhile = func() { b.meanwhile = func() { written(20) } } // at the second key, confirmed.a.rx
	if err := talk.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	var c stream.Confirmation
	if err := json.Unmarshal(a.bucket.values["confirmed.a.rx"], &c); err != nil {
		t.Fatal(err)
	}
	if a.bucket.purged > c.Sequence {
		t.Errorf("purged up to %d, and confirmed up to %d", a.bucket.purged, c.Sequence)
	}
}
