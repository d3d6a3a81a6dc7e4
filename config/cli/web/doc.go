// Package web is the live page: who is silent now and since when, what was lost, and the messages as they come.
//
// It is a reader of the journal like any other, in a process of its own: nothing that it does can slow what is being
// received, and it can be killed at will.
//
//	journal ──> watch ──> Board, window ──> figures, now and then ───┐
//	   └──────> one follower a stream ──> lines ─────────────────────┴──> /events (Server-Sent Events) ──> script.js
//	   └──────> read backwards, on request ──> /, /host
//
// A watch reads the newest part of the journal first and shows that, while another reads the last day; then it follows. What
// it knows of hosts is package presence's, drawn by the parts of package report.
//
// Pages are made here, by html/template, and are whole without a script: then they reload. With one, /events sends what has
// changed, as pieces of the same templates. The id of each event with lines is the position behind them (Cursors, see
// place), so that an EventSource that comes back resumes exactly: after a restart of the daemon, of this process, or of the
// browser's network.
//
// All that is shown comes from datagrams that anybody may send. It is bounded in size, made visible where it could steer or
// reorder text, and escaped by the template or set as text; the Content-Security-Policy allows our own script and style
// sheet only, without unsafe-*, and no request to anywhere else. Only GET is answered, only under the names that this server
// is known by (against DNS rebinding), and beyond loopback only with a token. A client that does not read is cut off by the
// deadline of each write; there are maxStreams streams at most.
package web
