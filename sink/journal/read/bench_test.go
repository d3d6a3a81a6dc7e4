package read

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// mixedLines is about 1 MB of lines, of which one in five is of the cpu_monitor plugin.
func mixedLines() []byte {
	encoder := journal.NewEncoder(nil)
	var b []byte
	for n := 0; len(b) < 1<<20; n++ {
		message := fmt.Appendf(nil, `{"ID":"HTB","name":"webserver%d","interval":30,"ver":1}`, n%100)
		if n%5 > 1 {
			message = fmt.Appendf(nil, `{"ID":"PLG","plugin":"disk_monitor","name":"webserver%d","used":%d,"percent":%d}`, n%100, n, n%90)
		}
		if n%5 == 4 {
			message = fmt.Appendf(nil, `{"ID":"PLG","plugin":"cpu_monitor","name":"webserver%d","cpu_percent":%d.5,"load_1min":1.25,`+
				`"load_5min":1.2,"load_15min":1.1,"user":31.4,"system":9.8,"idle":54.8,"iowait":2.7}`, n%100, n%90)
		}
		b = encoder.AppendLine(b, start.Add(time.Duration(n)*time.Millisecond), sampleFrom, message)
	}
	return b
}

func BenchmarkScan(b *testing.B) {
	f := func(name string, fields ...journal.Field) {
		filter, err := journal.NewFilter(journal.FilterOptions{Fields: fields})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			block := &Block{Data: mixedLines(), Number: 1}
			scanner := Scanner{Filter: filter}
			b.SetBytes(int64(len(block.Data)))
			b.ReportAllocs()
			for b.Loop() {
				for scanner.Reset(block); scanner.Next(); {
				}
			}
		})
	}
	f("all")
	f("one in five", field("ID", "PLG"), field("plugin", "cpu_monitor"))
	f("glob", field("plugin", "cpu_*"))
	f("none", field("plugin", "gpu_monitor"))
}

func BenchmarkParseLine(b *testing.B) {
	line := bytes.TrimSuffix(entryLine(0), newline)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := journal.ParseLine(line); err != nil {
			b.Fatal(err)
		}
	}
}
