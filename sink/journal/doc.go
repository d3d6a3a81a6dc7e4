// Package journal is the format of the journal: what stands in a line, and nothing of files.
//
// A journal is lines of JSON, one an entry:
//
//	{"timestamp":1711234567.123,"datetime":"2024-03-23T22:56:07","source_ip":"192.168.1.100","source_port":50003,"message":{"ID":"HTB"}}
//
// The write side makes such lines: Compact checks a message and drops the white space between its tokens, and Encoder
// puts the line together. ParseLine is its inverse. A Lookup finds fields of a message, and a Filter chooses entries, also
// without parsing what cannot match.
//
// Nothing here does I/O or starts a goroutine. Package sink writes lines to files, package read reads them back.
package journal
