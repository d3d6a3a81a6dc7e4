package output

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"hbjournal/scripts/freeport"
	"hbjournal/sink/forward"
)

// newUDP is a socket that datagrams are sent to.
func newUDP(t testing.TB) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(freeport.Must(t))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetReadBuffer(4 << 20)
	return conn
}

// datagram reads one.
func datagram(t testing.TB, conn *net.UDPConn) string {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	var packet [maxDatagram]byte
	n, err := conn.Read(packet[:])
	if err != nil {
		t.Fatal(err)
	}
	return string(packet[:n])
}

func TestSyslogOverUDPIsADatagramEach(t *testing.T) {
	conn := newUDP(t)
	long := `{"long":"` + strings.Repeat("x", 70_000) + `"}`
	out := open(t, "syslog+udp://"+conn.LocalAddr().String())
	receipt := mustSend(t, out, messages(t, `{"n":1}`, long, `{"n":3}`))
	if got := fmt.Sprint(codes(receipt)); got != "[1 too_long]" {
		t.Errorf("refused: got %s", got)
	}
	for _, want := range []string{`{"n":1}`, `{"n":3}`} {
		if got := datagram(t, conn); !strings.HasPrefix(got, "<134>1 2026-") || !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want %s", got, want)
		}
	}
	cef := open(t, "cef+udp://"+conn.LocalAddr().String()+"?header=none")
	mustSend(t, cef, messages(t, `{"n":4}`))
	if got := datagram(t, conn); !strings.HasPrefix(got, "CEF:0|hbjournal|") {
		t.Errorf("got %q", got)
	}
}

func TestAnICMPErrorIsTroubleUntilSomebodyListens(t *testing.T) {
	conn := newUDP(t)
	address := conn.LocalAddr().(*net.UDPAddr)
	conn.Close()
	out := open(t, "syslog+udp://"+address.String())
	for range 3 {
		mustTrouble(t, out, messages(t, `{"n":1}`, `{"n":2}`), forward.Network)
	}
	again, err := net.ListenUDP("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	mustSend(t, out, messages(t, `{"n":1}`))
	if got := datagram(t, again); !strings.HasSuffix(got, `{"n":1}`) {
		t.Errorf("got %q", got)
	}
}

// packets are the datagrams that a message of n bytes is sent as; no is why it is not.
func packets(t testing.TB, c *chunks, n int) (sent [][]byte, no *unfit) {
	t.Helper()
	c.maker = fixed(bytes.Repeat([]byte("x"), n))
	no, err := c.pack(nil, 0, func(packet []byte) error {
		sent = append(sent, bytes.Clone(packet))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sent, no
}

// fixed is a maker of one message.
type fixed []byte

func (f fixed) message(*forward.Batch, int) ([]byte, *unfit) { return f, nil }

func TestChunksAreMadeFromTheSizeOfADatagramOn(t *testing.T) {
	c := &chunks{size: 1420}
	for _, f := range []struct{ size, want int }{{1419, 1}, {1420, 1}, {1421, 2}, {2 * 1408, 2}, {2*1408 + 1, 3}, {128 * 1408, 128}} {
		sent, no := packets(t, c, f.size)
		if no != nil || len(sent) != f.want {
			t.Errorf("%d bytes: got %d datagrams, %v; want %d", f.size, len(sent), no, f.want)
		}
		for _, packet := range sent {
			if len(packet) > 1420 {
				t.Errorf("%d bytes: a datagram of %d", f.size, len(packet))
			}
		}
		if got := joined(t, sent); len(got) != f.size {
			t.Errorf("%d bytes: %d came together", f.size, len(got))
		}
	}
	sent, no := packets(t, c, 128*1408+1)
	if no == nil || no.code != tooLong || len(sent) != 0 {
		t.Errorf("129 chunks: got %d datagrams and %v", len(sent), no)
	}
}

// joined puts chunks together, which come in any order.
func joined(t testing.TB, sent [][]byte) []byte {
	t.Helper()
	if len(sent) == 1 && !bytes.HasPrefix(sent[0], []byte{0x1e, 0x0f}) {
		return sent[0]
	}
	rand.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
	parts := make([][]byte, len(sent))
	for _, chunk := range sent {
		if !bytes.Equal(chunk[:10], sent[0][:10]) || int(chunk[11]) != len(sent) || int(chunk[10]) >= len(sent) || parts[chunk[10]] != nil {
			t.Fatalf("head of a chunk: % x", chunk[:12])
		}
		parts[chunk[10]] = chunk[12:]
	}
	return bytes.Join(parts, nil)
}

func TestChunksOfTwoMessagesNeverHaveTheSameID(t *testing.T) {
	seen := make(map[string]bool)
	c := &chunks{size: 100}
	for range 10_000 {
		sent, _ := packets(t, c, 200)
		id := string(sent[0][2:10])
		if seen[id] {
			t.Fatal("an id came twice")
		}
		seen[id] = true
	}
}

func TestGELFOverUDPIsPackedAndCut(t *testing.T) {
	conn := newUDP(t)
	var noise strings.Builder
	for range 4000 {
		noise.WriteByte("0123456789abcdef"[rand.N(16)])
	}
	message := `{"name":"web1","noise":"` + noise.String() + `"}`
	mustSend(t, open(t, "gelf+udp://"+conn.LocalAddr().String()+"?chunk=500"), messages(t, message))
	var sent [][]byte
	for len(sent) == 0 || len(sent) < int(sent[0][11]) {
		sent = append(sent, []byte(datagram(t, conn)))
	}
	zipped, err := gzip.NewReader(bytes.NewReader(joined(t, sent)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zipped)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(text, []byte(`{"version":"1.1","host":"web1","short_message":`)) || !bytes.Contains(text, []byte(noise.String())) {
		t.Errorf("got %.200s", text)
	}
	mustSend(t, open(t, "gelf+udp://"+conn.LocalAddr().String()+"?compress=none"), messages(t, `{"n":1}`))
	if got := datagram(t, conn); !strings.HasPrefix(got, `{"version":"1.1"`) {
		t.Errorf("got %q", got)
	}
}
