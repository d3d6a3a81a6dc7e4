// Package journal is the format of the journal, and the reading of it.
//
// A journal is a live file and its backups, in lines of JSON, one an entry:
//
//	{"timestamp":1711234567.123,"datetime":"2024-03-23T22:56:07","source_ip":"192.168.1.100","source_port":50003,"message":{"ID":"HTB"}}
//
// The write side makes such lines: Compact checks a message and drops the white space between its tokens, and Encoder
// puts the line together. Writing it to a file is not done here; sink does that.
//
// The read side goes over all files in the order of their names, plain or compressed, in blocks of whole lines that
// never part an entry. A Reader parses them one by one; a Follower goes on into what is written later, through every
// rotation, and its Cursor says where it stands. A Filter skips what cannot match before it is parsed. A line that is no
// entry is a CorruptError with its file and offset, and reading goes on behind it.
//
// A file is known by the stamp in its name and by its first line, since all else about it may change: the daemon and
// logrotate rename, compress and remove files while they are read. Memory is bounded by blocks, not by files or entries; a
// line may be as long as 64 MiB. Looking for a time takes for granted that times do not go back by more than a minute.
//
// Nothing here changes a journal: readers open files read-only and keep nothing beside them.
package journal
