package format

import (
	"fmt"
	"strconv"
	"strings"

	"hbjournal/sink/journal"
)

// Facility is a facility of RFC 5424, section 6.2.1, from 0 to 23. The zero value stands for local0, since a journal is
// never the kernel's.
type Facility int

// facilities are the usual names, in the order of their numbers.
var facilities = strings.Fields("kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock " +
	"local0 local1 local2 local3 local4 local5 local6 local7")

const local0 = 16

// ParseFacility reads the name or the number of a facility. kern is refused: it is for kernels.
func ParseFacility(text string) (Facility, error) {
	for n, name := range facilities {
		if n > 0 && (text == name || text == strconv.Itoa(n)) {
			return Facility(n), nil
		}
	}
	return 0, fmt.Errorf("no facility %q; want 1 to %d, or one of %s", text, len(facilities)-1, strings.Join(facilities[1:], " "))
}

// Severity is a severity of RFC 5424, section 6.2.1, from 1, alert, to 7, debug. The zero value stands for info, since no
// message of a journal is an emergency.
type Severity int

// severities are the usual names, in the order of their numbers.
var severities = strings.Fields("emerg alert crit err warning notice info debug")

// ParseSeverity reads the name or the number of a severity. emerg is refused: it is written onto every terminal.
func ParseSeverity(text string) (Severity, error) {
	for n, name := range severities {
		if n > 0 && (text == name || text == strconv.Itoa(n)) {
			return Severity(n), nil
		}
	}
	return 0, fmt.Errorf("no severity %q; want 1 to 7, or one of %s", text, strings.Join(severities[1:], " "))
}

// priority is what a message of syslog begins with.
type priority struct{ facility, severity int }

func newPriority(opt Options) (priority, error) {
	p := priority{int(opt.Facility), int(opt.Severity)}
	if p.facility == 0 {
		p.facility = local0
	}
	if p.severity == 0 {
		p.severity = severityInfo
	}
	if p.facility < 0 || p.facility >= len(facilities) {
		return p, fmt.Errorf("no facility %d; want 1 to %d", p.facility, len(facilities)-1)
	}
	if p.severity < 0 || p.severity >= len(severities) {
		return p, fmt.Errorf("no severity %d; want 1 to %d", p.severity, len(severities)-1)
	}
	return p, nil
}

// appendPriority appends <PRI>.
func (f *facts) appendPriority(dst []byte, p priority) []byte {
	dst = strconv.AppendInt(append(dst, '<'), int64(p.facility*8+f.weigh(p.severity)), 10)
	return append(dst, '>')
}

// The lengths that RFC 5424, section 6, allows.
const (
	maxHost = 255
	maxApp  = 48
	maxMsg  = 32 // of MSGID
	maxName = 32 // of an SD-ID
)

type syslog struct {
	facts
	priority
	app, sdID string
	opt       Options
}

func newSyslog(opt Options) (*syslog, error) {
	s := &syslog{facts: newFacts(), app: opt.App, sdID: opt.SDID, opt: opt}
	var err error
	if s.priority, err = newPriority(opt); err != nil {
		return nil, err
	}
	if s.app == "" {
		s.app = "hbjournal"
	}
	if s.sdID == "" {
		s.sdID = "hbj@32473" // 32473 is the enterprise number for examples (RFC 5612).
	}
	switch {
	case printable(s.app, maxApp) != s.app:
		return nil, fmt.Errorf("app %q is not 1 to %d printable ASCII characters without spaces", s.app, maxApp)
	case printable(s.sdID, maxName) != s.sdID || strings.ContainsAny(s.sdID, `=]"`):
		return nil, fmt.Errorf("sd_id %q is not of the form name@number, at most %d characters", s.sdID, maxName)
	}
	return s, nil
}

// Append implements Form.
func (s *syslog) Append(dst []byte, e *journal.Entry, id string) []byte {
	s.learn(e)
	dst = append(s.appendPriority(dst, s.priority), "1 "...)
	dst = appendTime(dst, e.Millis)
	for _, field := range []string{printable(s.host, maxHost), s.app, "-", printable(s.kind, maxMsg)} {
		dst = append(append(dst, ' '), field...)
	}
	dst = append(append(dst, " ["...), s.sdID...)
	dst = appendParam(dst, "ip", e.Source.Addr().String())
	dst = appendParam(dst, "port", strconv.Itoa(int(e.Source.Port())))
	if id != "" {
		dst = appendParam(dst, "id", id)
	}
	if receiver := s.opt.receiver(e); receiver != "" {
		dst = appendParam(dst, "receiver", receiver)
	}
	dst = append(dst, "] "...)
	if s.opt.BOM {
		dst = append(dst, "\xef\xbb\xbf"...)
	}
	return append(dst, e.Message...)
}

// printable is text as a header field of RFC 5424: what is no printable ASCII becomes _, and nothing becomes -.
func printable(text string, most int) string {
	if text == "" {
		return "-"
	}
	safe := text
	if strings.ContainsFunc(text, isUnprintable) {
		safe = strings.Map(func(r rune) rune {
			if isUnprintable(r) {
				return '_'
			}
			return r
		}, text)
	}
	return safe[:min(len(safe), most)]
}

func isUnprintable(r rune) bool { return r < '!' || r > '~' }

var paramEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)

func appendParam(dst []byte, name, value string) []byte {
	dst = append(append(append(dst, ' '), name...), `="`...)
	return append(append(dst, paramEscapes.Replace(value)...), '"')
}
