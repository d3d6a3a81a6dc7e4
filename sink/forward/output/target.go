package output

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/stream"
)

// ErrURL is wrapped by errors about a URL that no output can be made of.
var ErrURL = errors.New("not the URL of an output")

// A Target is the URL of an output taken apart and checked.
type Target struct {
	Scheme string
	Hosts  []string // host or host:port, as given; most outputs take one
	Path   string   // with its slash; of stdout: empty

	Name      string        // of its state's directory; "": one made of the address
	BatchSize int           // bytes that a batch is cut at; 0: the output's own measure
	BatchWait time.Duration // how old the first line of a batch may get; 0: the output's own measure
	Rate      int           // lines a second at most; 0: no limit
	From      string        // oldest, now, a cursor or a time: where an output without state begins
	Filter    []string      // field=glob: only lines that match all are sent
	DeadMax   int64         // bytes of dead.jsonl, at which the output stops

	AcceptRewind bool // go on even if the receiver holds lines that the journal has lost: do not ask forward.CheckHeld

	Secrets []string // files that the options name and nobody else should be able to read

	port string // of its scheme
	open func(Identity) (forward.Output, error)
}

// Identity is who ships.
type Identity struct {
	Journal  string // the journal's id
	Receiver string // receiver_name

	Stdout io.Writer // of stdout:; nil: standard output
}

// scheme is a kind of output.
type scheme struct {
	names []string // the first is the one to show
	port  string   // where its receivers listen, unless the URL says otherwise; "": it names no host
	make  func(*Target, *options) func(Identity) (forward.Output, error)
}

// schemes are all kinds of output, in the order in which they are shown.
func schemes() []scheme {
	return []scheme{
		schemeStdout(),
		schemeFile(),
		schemeHTTP(),
		{names: []string{"syslog+udp"}, port: "514", make: newSyslog},
		{names: []string{"syslog+tcp"}, port: "601", make: newSyslog},
		{names: []string{"syslog+tls"}, port: "6514", make: newSyslog},
		{names: []string{"cef+udp"}, port: "514", make: newCEF},
		{names: []string{"cef+tcp"}, port: "514", make: newCEF},
		{names: []string{"cef+tls"}, port: "6514", make: newCEF},
		{names: []string{"gelf+udp"}, port: "12201", make: newGELF},
		{names: []string{"gelf+tcp"}, port: "12201", make: newGELF},
		{names: []string{"gelf+tls"}, port: "12201", make: newGELF},
		{names: []string{"gelf+http", "gelf+https"}, port: "12201", make: newGELF},
		{names: []string{"victorialogs", "victorialogs+https"}, port: "9428", make: newVictoriaLogs},
		{names: []string{"elasticsearch", "elasticsearch+https"}, port: "9200", make: newElastic},
		{names: []string{"opensearch", "opensearch+https"}, port: "9200", make: newElastic},
		{names: []string{"splunk", "splunk+https"}, port: "8088", make: newSplunk},
		{names: []string{"loki", "loki+https"}, port: "3100", make: newLoki},
		{names: []string{"otlp", "otlp+https"}, port: "4318", make: newOTLP},
		{names: []string{"nats", "nats+tls"}, port: stream.Port, make: makeNATS},
		{names: []string{"kafka", "kafka+tls"}, port: stream.KafkaPort, make: makeKafka},
	}
}

// Schemes are the names that a URL can begin with.
func Schemes() []string {
	var all []string
	for _, s := range schemes() {
		all = append(all, s.names...)
	}
	return all
}

// Parse takes a URL apart. Its error wraps ErrURL, names every option that is wrong, and what would be right.
func Parse(raw string) (*Target, error) {
	t, query, err := split(raw)
	if err != nil {
		return nil, err
	}
	for _, s := range schemes() {
		if slices.Contains(s.names, t.Scheme) {
			return t, t.read(s, query)
		}
	}
	return nil, fmt.Errorf("%w: unknown scheme %q; want one of %s", ErrURL, t.Scheme, strings.Join(Schemes(), ", "))
}

// read checks the options, those that all outputs have and those of this kind.
func (t *Target) read(s scheme, query url.Values) error {
	o := &options{values: query}
	t.ask(s, o)
	if err := o.end(); err != nil {
		return fmt.Errorf("output %s: %w: %w", t.Address(), ErrURL, err)
	}
	return nil
}

// ask asks for all options.
func (t *Target) ask(s scheme, o *options) {
	t.Name = o.text("name", "")
	t.BatchSize = int(o.size("batch_bytes", 0))
	t.BatchWait = o.duration("batch_wait", 0)
	t.Rate = o.number("rate", 0)
	t.From = o.text("from", "oldest")
	t.Filter = o.list("filter")
	t.DeadMax = o.size("dead_max", 64<<20)
	t.port = s.port
	t.open = s.make(t, o)
}

// Address is what may be shown of the output: scheme://host:port/path.
func (t *Target) Address() string {
	if len(t.Hosts) == 0 && t.Path == "" {
		return t.Scheme + ":"
	}
	return t.Scheme + "://" + strings.Join(t.Hosts, ",") + t.Path
}

// host is for outputs that have one receiver: it returns the host of the URL and its port, else that of the scheme.
func (t *Target) host(o *options) string {
	if len(t.Hosts) != 1 || t.Hosts[0] == "" {
		o.fault("want one host, such as %s://192.0.2.1:%s", t.Scheme, t.port)
		return ""
	}
	host, port, err := net.SplitHostPort(t.Hosts[0])
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(t.Hosts[0], "["), "]"), t.port
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" || strings.ContainsFunc(host, notOfHosts) {
		o.fault("want a host and a port from 1 to 65535, such as 192.0.2.1:%s or [2001:db8::1]:%s", t.port, t.port)
		return ""
	}
	t.Hosts[0] = net.JoinHostPort(host, port)
	return t.Hosts[0]
}

// notOfHosts reports what stands neither in a name nor in an address.
func notOfHosts(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"'<>[]\^{|}#?`+"`", r)
}

// noPath is for outputs whose receivers have no paths.
func (t *Target) noPath(o *options) {
	if strings.Trim(t.Path, "/") != "" {
		o.fault("%s has no path", t.Scheme)
	}
	t.Path = ""
}

// Open makes the output. Files that the options name are read when it dials, so that they may change.
func (t *Target) Open(who Identity) (forward.Output, error) {
	out, err := t.open(who)
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", t.Address(), err)
	}
	return out, nil
}

// split cuts a URL into its parts. Package url is not asked about the hosts, since there may be several.
func split(raw string) (*Target, url.Values, error) {
	t := &Target{}
	var rest string
	var found bool
	if t.Scheme, rest, found = strings.Cut(raw, ":"); !found || t.Scheme == "" {
		return nil, nil, fmt.Errorf("%w: it has no scheme; want for example http://127.0.0.1:8080/ or file:///srv/copy", ErrURL)
	}
	t.Scheme = strings.ToLower(t.Scheme)
	rest, query, _ := strings.Cut(rest, "?")
	rest, inAuthority := strings.CutPrefix(rest, "//")
	if inAuthority {
		hosts, path, _ := cutBefore(rest, '/')
		if strings.Contains(hosts, "@") {
			return nil, nil, fmt.Errorf("%w: %s: it holds a user or a password; give user= and password_file= or token_file= instead", ErrURL, t.Scheme)
		}
		if hosts != "" {
			t.Hosts = strings.Split(hosts, ",")
		}
		rest = path
	}
	path, err := url.PathUnescape(rest)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s: its path is not well escaped", ErrURL, t.Scheme)
	}
	t.Path = path
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s: its options are not well escaped; write %%25 for %%, %%26 for & and %%3B for ;", ErrURL, t.Address())
	}
	return t, values, nil
}

// cutBefore is strings.Cut that leaves the separator to what is behind it.
func cutBefore(s string, sep byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, sep); i >= 0 {
		return s[:i], s[i:], true
	}
	return s, "", false
}
