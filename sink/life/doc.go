// Package life keeps the times in which a daemon listened, so that a reader of its journal can tell a host that was silent
// from a daemon that was deaf.
//
// They stand in the file life of the journal's state directory, a line each, the last one being the present:
//
//	1774699200.123 1774702800.000 ended 5f3a9c01
//	1774702805.500 1774702911.012 alive 77e2b1d4
//
// From, to, whether the daemon ended there by itself, and a checksum of the line. While the daemon lives it moves the end of
// the last line on, once a second, by one small write that nothing waits for and that is not forced to the disk: after
// kill -9 it is right to a second, after a power cut the file may be older or gone. What is not whole is left out.
//
// A life begins anew where the daemon was stopped or asleep for more than a few seconds, or its clock was set back. It goes
// on over a restart at which the sockets were handed over, because what came meanwhile waited in them. The last 1,000 are kept.
package life
