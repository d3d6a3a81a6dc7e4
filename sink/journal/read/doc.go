// Package read is the way from the files of a journal to its entries.
//
// It goes over all files in the order of time, plain or compressed, in blocks of whole lines that never part an
// entry. A Reader parses them one by one; a Follower goes on into what is written later, through every rotation. A
// Reader's Cursor stands behind the current entry, and Follow goes on from there. A line that is no entry is a
// CorruptError with its file and offset, and reading goes on behind it.
//
//	files ── chain, list: which comes next ──> Source: blocks ── Scanner, Ordered ──> entries
//
// A file is known by the stamp in its name and by its first line, since all else about it may change: the daemon and
// logrotate rename, compress and remove files while they are read. Those that logrotate makes of the live file have no stamp:
// their first lines tell their places and what they are. Memory is bounded by blocks, not by files or entries; a
// line may be as long as 64 MiB. Looking for a time takes for granted that times do not go back by more than a minute.
//
// Nothing here changes a journal: readers open files read-only and keep nothing beside them.
package read
