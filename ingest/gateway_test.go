package ingest

import (
	"bytes"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestSendersHiddenByTheDefaultGatewayAreSaidOnce(t *testing.T) {
	gateway, host := netip.MustParseAddr("172.17.0.1"), netip.MustParseAddr("10.0.0.7")
	start := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	// f sends a datagram from each source a second apart, over and over for the time given, and looks once a second.
	f := func(what string, length time.Duration, want int, sources ...netip.Addr) {
		t.Helper()
		var log bytes.Buffer
		w := gatewayWatch{log: zerolog.New(&log), gateways: []netip.Addr{gateway}}
		for n := range int(length / time.Second) {
			now := start.Add(time.Duration(n) * time.Second)
			w.see(sources[n%len(sources)], now)
			w.report(now)
		}
		if got := strings.Count(log.String(), "hide their senders"); got != want {
			t.Errorf("%s: got %d warnings, want %d:\n%s", what, got, want, log.String())
		}
	}
	f("the gateway alone, for ten minutes", 10*time.Minute, 1, gateway)
	f("the gateway alone, for half a minute", 30*time.Second, 0, gateway)
	f("the gateway and a host", 10*time.Minute, 0, gateway, host)
	f("a host alone", 10*time.Minute, 0, host)
}

func TestFewMessagesFromTheGatewayAreNoReasonToWarn(t *testing.T) {
	var log bytes.Buffer
	gateway := netip.MustParseAddr("fe80::1%2")
	w := gatewayWatch{log: zerolog.New(&log), gateways: []netip.Addr{gateway.WithZone("")}}
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	for range hiddenCount - 1 {
		w.see(gateway, now)
	}
	w.report(now.Add(time.Hour))
	if log.Len() > 0 {
		t.Errorf("%d messages in an hour: got %s, want no warning", hiddenCount-1, log.String())
	}
	w.see(gateway, now.Add(time.Hour))
	w.report(now.Add(time.Hour))
	if log.Len() == 0 {
		t.Errorf("%d messages in an hour: got no warning", hiddenCount)
	}
}

func TestListenerWarnsOfHiddenSenders(t *testing.T) {
	var log bytes.Buffer
	var minutes atomic.Int64
	l, stop := listening(t, Options{
		Gateways: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		Now:      func() time.Time { return time.Unix(60*minutes.Add(1), 0) }, // A minute passes between any two ticks.
		Log:      zerolog.New(&log),

		DrainTimeout: 24 * time.Hour,
	}, &recorder{room: -1})
	conn := dial(t, l.Addrs()[0].String())
	for range hiddenCount {
		send(t, conn, `{"ID":"HTB"}`)
	}
	stop()
	if got := strings.Count(log.String(), "hide their senders"); got != 1 {
		t.Errorf("got %d warnings, want 1:\n%s", got, log.String())
	}
}

func TestDefaultGatewaysAreReadAsTheKernelWritesThem(t *testing.T) {
	path := t.TempDir() + "/route"
	text := "Iface\tDestination\tGateway\tFlags\neth0\t00000000\t010011AC\t0003\neth0\t000011AC\t00000000\t0001\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rows := table(path)
	if len(rows) != 3 {
		t.Fatalf("got %d rows, want 3", len(rows))
	}
	if got := appendGateway(nil, rows[1][2], true); len(got) != 1 || got[0] != netip.MustParseAddr("172.17.0.1") {
		t.Errorf("got %v, want 172.17.0.1", got)
	}
	if got := appendGateway(nil, rows[2][2], true); len(got) != 0 {
		t.Errorf("a route without a gateway: got %v, want none", got)
	}
	if got := appendGateway(nil, "fe800000000000000000000000000001", false); len(got) != 1 || got[0] != netip.MustParseAddr("fe80::1") {
		t.Errorf("got %v, want fe80::1", got)
	}
}
