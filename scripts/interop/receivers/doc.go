// Package receivers tests what `hbjournal forward` sends against receivers that are real programs: rsyslogd and syslog-ng
// of Debian, and VictoriaLogs, built from its module, which beside its own lines takes syslog, the _bulk of Elasticsearch,
// Loki's push, OTLP and the events of Splunk's collector. What ships is the real program too, and it is killed at random
// bytes. Libraries that others wrote read what no receiver here does: chunks of GELF, RFC 5424, OTLP. Where no real receiver
// can be had, the fakes of sink/forward/output stand in.
//
// RECEIVERS_POINTS is at how many places a cell of the kill table strikes, RECEIVERS_SEED chooses them. Packages that exclude
// each other are unpacked into a cache, hbjournal-interop in the user's, and never installed.
package receivers
