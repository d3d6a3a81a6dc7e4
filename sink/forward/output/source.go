package output

import (
	"fmt"
	"slices"
	"strings"

	"hbjournal/sink/forward/stream"
)

// A Source is the URL of a stream from which a fleet's receivers are archived, taken apart and checked.
type Source struct {
	Target
	Stream   string // its name
	Bucket   string // of the keys beside it
	Replicas int    // of a stream and a bucket that are made
	MaxBytes int64  // of a stream that is made; 0: no limit

	Servers stream.Servers // how NATS is reached

	Topic   string         // of Kafka, in place of all that; "": it is NATS
	Brokers stream.Brokers // how Kafka is reached
}

// sourceSchemes are the names that the URL of a source can begin with.
func sourceSchemes() []string { return []string{"nats", "nats+tls", "kafka", "kafka+tls"} }

// ParseSource takes the URL of a source apart. Its error wraps ErrURL, names every option that is wrong, and what would be right.
func ParseSource(raw string) (*Source, error) {
	t, query, err := split(raw)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(sourceSchemes(), t.Scheme) {
		return nil, fmt.Errorf("%w: an archive is made from one of %s, not from %q", ErrURL, strings.Join(sourceSchemes(), ", "), t.Scheme)
	}
	o := &options{values: query}
	s := &Source{}
	if strings.HasPrefix(t.Scheme, "kafka") {
		s.readKafka(t, o)
	} else {
		s.readNATS(t, o)
	}
	if err := o.end(); err != nil {
		return nil, fmt.Errorf("stream %s: %w: %w", t.Address(), ErrURL, err)
	}
	s.Target = *t
	return s, nil
}

// readKafka asks for the options of a topic.
func (s *Source) readKafka(t *Target, o *options) {
	s.Topic = strings.TrimPrefix(t.Path, "/")
	s.Brokers = o.brokers(t, o.connection(t))
}

// readNATS asks for the options of a stream.
func (s *Source) readNATS(t *Target, o *options) {
	n := natsOptions{
		hosts: t.Hosts, secure: t.Scheme == "nats+tls",
		credentials: o.text("creds_file", ""), nkey: o.text("nkey_file", ""), ignoreDiscovered: o.flag("ignore_discovered"),
	}
	s.Stream = o.text("stream", "HBJ")
	s.Bucket = o.text("bucket", s.Stream)
	s.Replicas, s.MaxBytes = o.number("replicas", 3), o.size("max_bytes", 0)
	c := o.connection(t)
	t.Secrets = append(t.Secrets, filled(n.credentials, n.nkey)...)
	if len(n.hosts) == 0 || strings.Trim(t.Path, "/") != "" {
		o.fault("want %s://host[:port][,host[:port]...] and no path", t.Scheme)
	}
	for key, name := range map[string]string{"stream": s.Stream, "bucket": s.Bucket} {
		if strings.ContainsAny(name, " \t\r\n.*>/\\") {
			o.wrong(key, "a name without dots, blanks and wildcards")
		}
	}
	if s.Replicas < 1 || s.Replicas > 5 {
		o.wrong("replicas", "1 to 5")
	}
	s.Servers = n.servers(c)
}
