package output

import (
	"errors"
	"strings"
	"testing"
)

func TestHostsOfURLs(t *testing.T) {
	good := map[string]string{
		"syslog+tcp://192.0.2.1":            "syslog+tcp://192.0.2.1:601",
		"syslog+tcp://192.0.2.1:514":        "syslog+tcp://192.0.2.1:514",
		"syslog+tls://[2001:db8::1]":        "syslog+tls://[2001:db8::1]:6514",
		"syslog+tls://[2001:db8::1]:1":      "syslog+tls://[2001:db8::1]:1",
		"gelf+udp://log.example/":           "gelf+udp://log.example:12201",
		"GELF+UDP://log.example?chunk=8192": "gelf+udp://log.example:12201",
	}
	for url, want := range good {
		target, err := Parse(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
		} else if target.Address() != want {
			t.Errorf("%s: got %s, want %s", url, target.Address(), want)
		}
	}
	for _, url := range []string{
		"syslog+tcp://", "syslog+tcp:", "syslog+tcp://a,b", "syslog+tcp://a:0", "syslog+tcp://a:65536", "syslog+tcp://a:x", "syslog+tcp://:514",
		"syslog+tcp://a b", "syslog+tcp://a\r\nb", "syslog+tcp://a\x00", "syslog+tcp://a/path", "gelf+udp://a?chunk=12", "gelf+udp://a?chunk=65508",
		"syslog+tcp://a?facility=kern", "syslog+tcp://a?severity=emerg", "syslog+tcp://a?frame=nul", "syslog+tcp://a?ca=/x", "syslog+udp://a?frame=lf",
		"syslog+udp://a?sd_id=a%20b", "cef+tcp://a?header=x", "loki://a?labels=x", "loki://a?labels=1=x", "loki://a?metadata=x", "loki://a?tenant=a%0Ab",
		"splunk://a", "splunk://a?token_file=x&channel=1", "otlp://a?encoding=xml", "elasticsearch://a?api_key_file=x&token_file=y",
	} {
		if _, err := Parse(url); !errors.Is(err, ErrURL) {
			t.Errorf("%q: got %v, want it refused", url, err)
		}
	}
}

func TestNoErrorShowsASecret(t *testing.T) {
	const secret = "hunter2"
	for _, url := range []string{
		"syslog+tls://user:hunter2@a", "splunk://a?token=hunter2", "elasticsearch://a?api_key=hunter2", "loki://a?password=hunter2",
		"syslog+tcp://a?facility=hunter2", "otlp://a?timeout=hunter2", "elasticsearch://a?index=HUNTER2hunter2", "splunk://a?token_file=x&channel=hunter2",
		"loki://a?labels=hunter2", "syslog+tcp://a?app=hunter2%20x", "cef+tcp://a?confirm=hunter2",
	} {
		_, err := Parse(url)
		if err == nil {
			t.Errorf("%s was taken", url)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
