// Package streams tests the outputs to NATS JetStream and Kafka against servers that are real programs: nats-server, and
// kfake, which is the broker of the Kafka client's own tests. They run in processes of their own, since a killed receiver is
// a row of the kill table. A real Kafka was not at hand.
package streams
