package stream

import (
	"crypto/tls"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Brokers are how Kafka is reached.
type Brokers struct {
	Hosts   []string                    // host or host:port; all are tried
	TLS     func() (*tls.Config, error) // asked for each client; nil: no TLS
	Login   []kgo.Opt                   // none: no login
	Timeout time.Duration               // of a dial, and of an answer
}

// KafkaPort is where Kafka listens, unless the URL says otherwise.
const KafkaPort = "9092"

// HeaderReceiver is the header of a record of Kafka that names the receiver, which the subject of a message of NATS does there.
const HeaderReceiver = "Hbj-Receiver"

// Options are those of every client of these brokers. Why one could not be reached is put into last: what the library itself says in
// the end is that time is over.
func (b Brokers) Options(last *LastError) ([]kgo.Opt, error) {
	var seeds []string
	for _, host := range b.Hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), KafkaPort)
		}
		seeds = append(seeds, host)
	}
	opts := append([]kgo.Opt{
		kgo.ClientID("hbjournal"), kgo.SeedBrokers(seeds...), kgo.DialTimeout(b.Timeout), kgo.RetryTimeout(b.Timeout),
		kgo.RequestTimeoutOverhead(max(b.Timeout, time.Second)), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.DisableClientMetrics(), kgo.WithHooks(unreachable{last}), kgo.RetryBackoffFn(backoff),
	}, b.Login...)
	if b.TLS != nil {
		config, err := b.TLS()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	return opts, nil
}

// backoff is how long the library waits before it tries again by itself, within the time of one answer.
func backoff(tries int) time.Duration {
	return min(20*time.Millisecond<<min(max(tries-1, 0), 6), time.Second)
}

// unreachable keeps why a broker could not be reached.
type unreachable struct{ last *LastError }

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (h unreachable) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		h.last.Put(WithoutAddresses(err))
	}
}

// KafkaHeader looks for a header of a record.
func KafkaHeader(record *kgo.Record) func(name string) string {
	return func(name string) string {
		for _, h := range record.Headers {
			if h.Key == name {
				return string(h.Value)
			}
		}
		return ""
	}
}
