package sink_test

import (
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"hbjournal/sink"
)

func Example() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	j, err := sink.Open(sink.Options{Dir: dir, MaxBytes: 100 << 20, MaxBackups: 10})
	if err != nil {
		log.Fatal(err)
	}
	from := netip.MustParseAddrPort("192.168.1.100:50003")
	at := time.UnixMilli(1711234567123)
	if err := j.LogMessage([]byte(`{"ID": "HTB", "name": "webserver1", "interval": 30, "ver": 1}`), from, at); err != nil {
		log.Fatal(err)
	}
	if err := j.Close(); err != nil { // All that was accepted is on disk now.
		log.Fatal(err)
	}
	stats := j.Stats()
	fmt.Println(stats.Entries, "entry,", stats.CurrentSize, "of", stats.RotationThreshold, "bytes")

	lines, err := os.ReadFile(filepath.Join(dir, "messages.journal"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(lines))
	// Output:
	// 1 entry, 175 of 104857600 bytes
	// {"timestamp":1711234567.123,"datetime":"2024-03-23T22:56:07","source_ip":"192.168.1.100","source_port":50003,"message":{"ID":"HTB","name":"webserver1","interval":30,"ver":1}}
}
