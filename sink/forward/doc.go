// Package forward ships a journal to other systems, and is the loop that all outputs share.
//
// An output is a reader of the journal with a cursor, like every other: one goroutine with one follower, and one batch in
// flight, in order, for ever. None can slow another, or receiving.
//
//	follow -> cut a batch at line ends -> fdatasync -> note the intent -> Send -> dead letters -> cursor
//
// Each step is durable before the next begins, so that whatever instant a crash takes, nothing that the receiver had not
// confirmed is lost, and no more than the batch in flight is sent twice; that one is sent again byte for byte, so that a
// receiver that knows ids or positions takes it once.
//
// What the receiver or the way to it is to blame for is tried for ever. Only a line that the receiver refused by name is
// put aside, into dead.jsonl with its reason. State lies under .<journal_file>.d/forward/<name>/.
package forward
