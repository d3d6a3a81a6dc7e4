// Package killtest does to an output what the kill table in sink/forward/README.md has columns for, and counts what its
// receiver then holds: nothing may be lost that was not confirmed, and no more may be there twice than the row promises.
//
// A test package that has a row calls Main from its TestMain, since a sender that is killed is the test binary in a process
// of its own. A row is a Receiver and a few lines:
//
//	func TestMain(m *testing.M) { killtest.Main(m) }
//
//	func TestKillsOfTheSender(t *testing.T) {
//		r := startReceiver(t)
//		killtest.Row{URL: r.url, Lines: r.lines, Doubles: killtest.ABatch}.KillSender(t)
//	}
//
// Faulty puts the faults of a network into any HTTP handler. How often a sender is killed says FORWARD_KILLS, by default
// 10 times; what is random comes from FORWARD_SEED, which a failing test prints.
package killtest
