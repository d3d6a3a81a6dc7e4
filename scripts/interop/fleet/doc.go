// Package fleet runs a whole fleet of real processes on one machine and breaks it: three nats-servers that sync each
// write, receivers with journals of their own, and archivers. However servers, receivers and archivers are killed, cut
// off or robbed of what they store, each archive has to end with every receiver's lines, each once, in order and byte
// for byte. It holds tests only; 'scripts/soak --fleet' runs them longer, and scripts/bench-fleet measures.
package fleet
