// Command journalgen writes a made-up journal of mixed messages, to measure readers with: heartbeats, four plugins, boots,
// and a few datagrams that were no JSON, from a number of hosts, spread evenly over a day that ends now, or some time ago.
//
//	journalgen --dir DIR [--bytes 1000000000] [--files 10] [--hosts 100] [--ago 1h] [--receivers N]
//
// With --receivers it writes a fleet: N such journals, each of hosts of its own, in DIR/receiver-0001 and so on. The same flags
// give the same messages, at other times.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/names"
)

const base = "messages.journal"

func main() {
	log.SetFlags(0)
	log.SetPrefix("journalgen: error: ")
	dir := flag.String("dir", "", "directory for the files")
	size := flag.Int64("bytes", 1_000_000_000, "size of all files together")
	files := flag.Int("files", 10, "number of files, the live one included")
	hosts := flag.Int("hosts", 100, "number of hosts")
	ago := flag.Duration("ago", 0, "how long ago the last entry came")
	receivers := flag.Int("receivers", 0, "number of journals in directories of their own; 0: one journal in --dir")
	flag.Parse()
	if *dir == "" || *files < 1 || *hosts < 1 {
		log.Fatal("give --dir, and --files and --hosts of at least 1")
	}
	g := newGenerator(*hosts, *size, time.Now().Add(-*ago))
	if *receivers == 0 {
		if err := g.writeJournal(*dir, *size, *files); err != nil {
			log.Fatal(err)
		}
	}
	for i := range *receivers {
		of := filepath.Join(*dir, fmt.Sprintf("receiver-%04d", i+1))
		err := os.MkdirAll(of, 0o750)
		if err == nil {
			err = g.next(i**hosts).writeJournal(of, *size, *files)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}

// meanLine is about the length of a line, from which the pace of the times follows.
const meanLine = 265

// generator makes one entry after another.
type generator struct {
	first   int // host
	hosts   int
	end     time.Time
	random  *rand.Rand
	encoder *journal.Encoder
	at      time.Time
	step    time.Duration
	message []byte
}

// span is from the first entry of a journal to the last.
const span = 24 * time.Hour

func newGenerator(hosts int, size int64, end time.Time) *generator {
	return &generator{
		hosts:   hosts,
		end:     end,
		random:  rand.New(rand.NewPCG(1, 2)),
		encoder: journal.NewEncoder(nil),
		at:      end.Add(-span),
		step:    span / time.Duration(max(size/meanLine, 1)),
	}
}

// next is g at the beginning of another journal, of hosts from this one on.
func (g *generator) next(first int) *generator {
	g.first, g.at = first, g.end.Add(-span)
	return g
}

// writeJournal writes the files of a journal.
func (g *generator) writeJournal(dir string, size int64, files int) error {
	for i := range files {
		if err := g.writeFile(dir, size/int64(files), i == files-1); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes one file of the journal, a backup named after its end unless it is the live one.
func (g *generator) writeFile(dir string, size int64, live bool) (err error) {
	path := filepath.Join(dir, base)
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("make journal: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	var line []byte
	for written := int64(0); written < size && err == nil; written += int64(len(line)) {
		line = g.appendLine(line[:0])
		_, err = w.Write(line)
	}
	if err := errors.Join(err, w.Flush(), f.Close()); err != nil || live {
		return err
	}
	return os.Rename(path, filepath.Join(dir, names.OfBackup(base, g.at.UTC())))
}

// appendLine appends the line of the next entry.
func (g *generator) appendLine(dst []byte) []byte {
	host := g.first + g.random.IntN(g.hosts)
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(host >> 16), byte(host >> 8), byte(host)}), uint16(50003+host%7))
	g.at = g.at.Add(g.step)
	g.message = g.appendMessage(g.message[:0], host)
	return g.encoder.AppendLine(dst, g.at, from, g.message)
}

// appendMessage appends a message: 40 heartbeats, 59 of plugins, and one of other kinds in a hundred.
func (g *generator) appendMessage(dst []byte, host int) []byte {
	percent := func() float64 { return g.random.Float64() * 100 }
	switch kind := g.random.IntN(1000); {
	case kind < 400:
		return fmt.Appendf(dst, `{"ID":"HTB","name":"webserver%d","interval":30,"ver":1}`, host)
	case kind < 600:
		return fmt.Appendf(dst, `{"ID":"PLG","plugin":"cpu_monitor","name":"webserver%d","cpu_percent":%.1f,"load_1min":%.2f,`+
			`"load_5min":%.2f,"load_15min":%.2f,"user":%.1f,"system":%.1f,"idle":%.1f,"iowait":%.1f,"cores":8}`,
			host, percent(), percent()/25, percent()/25, percent()/25, percent(), percent(), percent(), percent())
	case kind < 750:
		return fmt.Appendf(dst, `{"ID":"PLG","plugin":"memory_monitor","name":"webserver%d","total":17179869184,"used":%d,`+
			`"free":%d,"cached":%d,"swap_total":2147483648,"swap_used":%d,"percent":%.1f}`,
			host, g.random.IntN(1<<34), g.random.IntN(1<<34), g.random.IntN(1<<33), g.random.IntN(1<<31), percent())
	case kind < 900:
		return fmt.Appendf(dst, `{"ID":"PLG","plugin":"disk_monitor","name":"webserver%d","disks":[{"path":"/","used":%d,`+
			`"percent":%.1f},{"path":"/var","used":%d,"percent":%.1f}],"inodes":%d}`,
			host, g.random.IntN(1<<40), percent(), g.random.IntN(1<<40), percent(), g.random.IntN(1<<24))
	case kind < 990:
		return fmt.Appendf(dst, `{"ID":"PLG","plugin":"net_monitor","name":"webserver%d","rx_bytes":%d,"tx_bytes":%d,`+
			`"rx_errors":%d,"interface":"eth0"}`, host, g.random.Uint32(), g.random.Uint32(), g.random.IntN(10))
	case kind < 995:
		return fmt.Appendf(dst, `{"ID":"HTB","name":"webserver%d","interval":30,"ver":1,"boot":true}`, host)
	}
	return fmt.Appendf(dst, `{"_raw":"hello from webserver%d","_error":"not JSON: unexpected text at byte 0"}`, host)
}
