// Package presence says who is there, judged by now: which hosts beat as they promised, which are late, which are silent.
//
// A host's beat (ID HTB) promises the next after its interval. A beat that is later by what the grace allows is missed, and
// a host that missed one is silent. This is the rule by which a report counts, too.
//
//	entries, in order ──> Sightings ──> Board ──> Verdict: each host and its State
//	                                         └──> Events: silent, back, boot, unknown
//
// A Board goes through time with the entries, so that the same journal always gives the same events with the same ids,
// whenever and in however many runs it is read. What did not come while the receiver did not listen is no host's fault: a
// beat is missed only if the receiver could have heard it. That it could not is known from three things: the spans of life
// that the daemon keeps beside its journal (Alive, Down), the notes of losses in the journal, and, where there is neither,
// a hole in which nothing came from anybody though two hosts at least had something to say. A host whose beats were due in such a time only is
// unknown until the next beat is due.
//
// A loss may be noted after hosts were judged that could not be heard because of it: then they are judged anew, and that they
// are silent is taken back.
//
// A host that was silent is back after one clean interval: once two beats came with none missed between. It is forgotten a
// day after it fell silent, if nothing came from it since.
//
// Memory is bounded by hosts, 16,384 of them with at most 200 bytes of a name; entries of further ones are counted only.
package presence
