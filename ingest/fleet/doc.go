// Package fleet is the archiver: from a stream of messages it writes the journals of a fleet's receivers again, each in a
// directory of its own, line by line the receiver's.
//
//	Engine ─ reading goroutine ─> messages ─ chain: copy, hole, gap, or the next lines ─> receiver ─ rotate.File
//	Bucket <─ talk goroutine ── confirmations, requests for what is missing             └─ place, when the lines are durable
//
// What is on the disk here is the truth, and no position of the engine's: each line has a number, and the place of each
// receiver says which comes next. So a stream that was made anew, put back or purged, a consumer that is stuck, and a
// message that comes twice cost no line and double none.
//
// The order is: lines, fdatasync, place, confirmation, purge. After a kill the lines may be ahead of the place; then what comes
// again is compared with what stands there, and skipped.
//
// There is no election: two archivers write the same. Nothing is said of receivers that hear the same datagrams: these are two
// journals. An engine is known by its interface only; NATS is one, and NATSBucket where it has archivers and receivers talk.
package fleet
