package output

import (
	"fmt"
	"testing"

	"hbjournal/sink/forward/format"
)

// mixed are messages as hosts send them: heartbeats, and plugins with some fields.
func mixed(n int) []string {
	all := make([]string, n)
	for i := range all {
		switch i % 3 {
		case 0:
			all[i] = fmt.Sprintf(`{"ID":"HTB","name":"webserver%d","interval":30,"ver":1}`, i%100)
		case 1:
			all[i] = fmt.Sprintf(`{"ID":"PLG","plugin":"memory_monitor","name":"webserver%d","total":17179869184,"used":%d,"free":16111470315,`+
				`"cached":2440750929,"swap_total":2147483648,"swap_used":1308868971,"percent":70.6}`, i%100, i*7919)
		default:
			all[i] = fmt.Sprintf(`{"ID":"PLG","plugin":"disk_monitor","name":"webserver%d","disks":[{"mount":"/","used":%d},{"mount":"/var","used":12}],`+
				`"text":"a \"quoted\" path C:\\temp"}`, i%100, i)
		}
	}
	return all
}

// BenchmarkMake makes what is sent of a piece, for each way of saying it; the bytes are those of the journal.
func BenchmarkMake(b *testing.B) {
	batch := messages(b, mixed(2000)...)
	ways := map[string]appender{
		"victorialogs": (&victoriaLines{facts: format.NewFacts(), most: 256 << 10, receiver: []byte(`"r"`)}).append,
	}
	for _, name := range format.Names() {
		form, err := format.New(name, format.Options{})
		if err != nil {
			b.Fatal(err)
		}
		ways[name] = (&formed{form: form}).appender("\n")
	}
	for name, one := range ways {
		b.Run(name, func(b *testing.B) {
			var body made
			b.SetBytes(int64(batch.Size()))
			b.ReportAllocs()
			for b.Loop() {
				body.make(batch, one)
			}
			if len(body.refused) > 0 {
				b.Fatal(body.refused[0])
			}
		})
	}
}
