// Package stream is what those who write to the stream of a fleet and those who read it have in common: a receiver's output
// ships runs of its journal's lines as messages, and an archiver makes the journal of them again.
//
// A message is whole lines in zstd (Unpacker), with a Mark in its headers, on a subject or in a partition of the receiver's
// own. Beside the stream lies a bucket, with keys and values by which archivers and receivers talk: who has confirmed how
// much, what is to be sent again (keys.go). Client speaks to NATS JetStream, which holds both.
//
// Whatever comes from the stream may have been written by anybody who may write there: all is bounded, and parsed strictly.
package stream
