package fleet

import (
	"context"
	"maps"
)

// An Engine holds the messages of a fleet. It is used by one goroutine.
type Engine interface {
	// Start begins to read behind a position, and returns the one that it really begins behind: another, if what the engine
	// holds is not what it held then. It is called again after each error of Next.
	Start(ctx context.Context, behind Position) (Position, error)
	// Next waits for the next message. Those of one partition come in order, each once from Start on. The message is valid until
	// the next call.
	Next(ctx context.Context) (Message, error)
	Close() error
}

// A Message is one of an engine.
type Message struct {
	Receiver  string // whose lines it holds, as the engine has it: not checked yet
	Partition int32
	Offset    uint64 // goes up within a partition, from 1 on
	Header    func(name string) string
	Payload   []byte
}

// A Position says how far the messages of an engine are dealt with. The zero value is before the first one.
type Position struct {
	Stream  string           `json:"stream,omitempty"` // by which the engine knows whether its numbers are still the same
	Offsets map[int32]uint64 `json:"offsets,omitempty"`
}

// clone returns a copy that can be written to.
func (p Position) clone() Position {
	offsets := make(map[int32]uint64, len(p.Offsets))
	maps.Copy(offsets, p.Offsets)
	return Position{Stream: p.Stream, Offsets: offsets}
}

// equal reports whether two positions are one.
func (p Position) equal(q Position) bool {
	return p.Stream == q.Stream && maps.Equal(p.Offsets, q.Offsets)
}

// A Bucket is where archivers and receivers talk, beside an engine that has such a place: keys and values of package stream. It
// is used by one goroutine.
type Bucket interface {
	Put(ctx context.Context, key string, value []byte) error
	// Poll returns what has changed since the last call. Anew says that it is all that there is: at the first call, and when
	// the bucket was made anew, so that what was put is gone.
	Poll(ctx context.Context) (changes []Change, anew bool, err error)
	// Purge removes all messages up to last from the engine, none if that is 0, and returns the first that is left. Stream is the
	// one that last is a number of: from another one nothing is removed.
	Purge(ctx context.Context, stream string, last uint64) (first uint64, err error)
	Close() error
}

// A Change is a key with its new value, nil if it was removed.
type Change struct {
	Key   string
	Value []byte
}
