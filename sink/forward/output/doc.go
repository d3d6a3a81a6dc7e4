// Package output holds the receivers that a journal can be forwarded to, one file each, and how their URLs are read.
//
// Parse takes a URL apart and checks each of its options; Open makes the output, which dials when it is first used.
// Whatever is shown or logged of an output is its Address, scheme://host:port/path: never its options, and no error
// of this package repeats what stood in a URL's query or before its @.
package output
