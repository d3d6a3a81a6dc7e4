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

// The lengths that RFC 5424, section 6, allows.
const (
	maxHost = 255
	maxApp  = 48
	maxMsg  = 32 // of MSGID
	maxName = 32 // of an SD-ID
)

type syslog struct {
	facts
	facility  int
	app, sdID string
	bom       bool
}

func newSyslog(opt Options) (*syslog, error) {
	s := &syslog{facts: newFacts(), facility: int(opt.Facility), app: opt.App, sdID: opt.SDID, bom: opt.BOM}
	if s.facility == 0 {
		s.facility = local0
	}
	if s.app == "" {
		s.app = "hbjournal"
	}
	if s.sdID == "" {
		s.sdID = "hbj@32473" // 32473 is the enterprise number for examples (RFC 5612).
	}
	switch {
	case s.facility < 0 || s.facility >= len(facilities):
		return nil, fmt.Errorf("no facility %d; want 1 to %d", s.facility, len(facilities)-1)
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
	dst = append(dst, '<')
	dst = strconv.AppendInt(dst, int64(s.facility*8+s.severity()), 10)
	dst = append(dst, ">1 "...)
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
	dst = append(dst, "] "...)
	if s.bom {
		dst = append(dst, "\xef\xbb\xbf"...)
	}
	return append(dst, e.Message...)
}

// printable is text as a header field of RFC 5424: what is no printable ASCII becomes _, and nothing becomes -.
func printable(text string, most int) string {
	if text == "" {
		return "-"
	}
	safe := strings.Map(func(r rune) rune {
		if r < '!' || r > '~' {
			return '_'
		}
		return r
	}, text)
	return safe[:min(len(safe), most)]
}

var paramEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)

func appendParam(dst []byte, name, value string) []byte {
	dst = append(append(append(dst, ' '), name...), `="`...)
	return append(append(dst, paramEscapes.Replace(value)...), '"')
}
