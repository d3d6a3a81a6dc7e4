// Package summary turns a journal into the figures of a report: how much came, of what kind, from whom, when, and which
// beats did not come.
//
// A Summary is filled by Add, entry by entry in the journal's order, or by Merge from summaries of consecutive stretches
// of it, so that several cores can share one journal:
//
//	stretch 1 ── Add, Add, … ──> Summary ─┐
//	stretch 2 ── Add, Add, … ──> Summary ─┴─ Merge, in order ──> Summary ── Report
//
// Each entry is looked at once, at the top-level keys of its message: ID, name, plugin, interval, boot, event. Of a plugin
// message every number counts, also inside of objects and arrays, up to maxDepth levels down and of the first maxElements
// elements of an array. Nothing is allocated for an entry that brings no new name.
//
// Memory is bounded by hosts and plugins, never by entries, and hostile input cannot lift the bound: beyond maxHosts,
// maxSources, maxIDs, maxPlugins and maxFields distinct names, new ones are counted together as "other"; a name longer
// than 200 bytes is cut. A host costs at most 2.3 KB, all of them together 38 MB. Times are counted in buckets of equal
// width, at most maxBuckets of them: the width grows with the range, from one second over 5 s, 15 s, 1 min, … to years.
//
// Medians and percentiles come from a DDSketch: they are within 1 % of a value that stands at that rank, as long as the
// values of a field span less than 17 orders of magnitude (beyond that the smallest lose their precision). Counts,
// minimum and maximum are exact.
//
// A host's beat (ID HTB) promises the next one after its interval. Where the next is late by more than half an interval,
// the beats that should have come between are missed; so are those between its last beat and the end of the report. The
// rule is that of package presence.
package summary
