package output

import (
	"strings"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/format"
)

// newSyslog makes outputs of messages after RFC 5424: over UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425).
func newSyslog(t *Target, o *options) func(Identity) (forward.Output, error) {
	opt := o.syslogOptions()
	opt.App, opt.SDID, opt.BOM = o.text("app", ""), o.text("sd_id", ""), o.flag("bom")
	return o.textual(t, "syslog", opt, octetCounting)
}

// newCEF makes outputs of ArcSight's Common Event Format, each event behind a header of syslog.
func newCEF(t *Target, o *options) func(Identity) (forward.Output, error) {
	opt := o.syslogOptions()
	opt.Vendor, opt.Product, opt.Version = o.text("vendor", ""), o.text("product", ""), o.text("version", "")
	opt.Header = format.Header(o.choice("header", string(format.BSD), string(format.BSD), string(format.IETF), string(format.NoHeader)))
	return o.textual(t, "cef", opt, byLine)
}

func (o *options) syslogOptions() (opt format.Options) {
	var err error
	if opt.Facility, err = format.ParseFacility(o.text("facility", "local0")); err != nil {
		o.wrong("facility", "one of kern's fellows: 1 to 23, user, daemon, auth, local0 to local7 and so on")
	}
	if opt.Severity, err = format.ParseSeverity(o.text("severity", "info")); err != nil {
		o.wrong("severity", "1 to 7 or one of alert, crit, err, warning, notice, info, debug")
	}
	return opt
}

// textual makes the output of one message a line, over what the scheme says behind its plus.
func (o *options) textual(t *Target, form string, opt format.Options, frame framing) func(Identity) (forward.Output, error) {
	f, err := format.New(form, opt)
	if err != nil {
		o.wrong("app and sd_id", "printable ASCII without spaces, 48 and 32 characters at most, and sd_id of the form name@number")
	}
	m := &formed{form: f, most: o.number("max_len", 0)}
	var out forward.Output
	switch _, transport, _ := strings.Cut(t.Scheme, "+"); transport {
	case "udp":
		if m.most == 0 || m.most > maxDatagram {
			m.most = maxDatagram
		}
		out = o.datagrams(t, whole{m})
	default:
		frame = framing(o.choice("frame", string(frame), string(octetCounting), string(byLine)))
		out = o.stream(t, frame, transport == "tls", m)
	}
	return func(Identity) (forward.Output, error) { return out, nil }
}
