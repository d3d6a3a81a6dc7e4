package status

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hbjournal/sink/forward"
)

// outputMetric is a figure of each output: the label output is its name, of which there are as many as forward_to has URLs.
type outputMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(forward.Figures) float64
}

func outputDesc(name, help string, labels ...string) *prometheus.Desc {
	return newDesc("forward_"+name, help, append([]string{"output"}, labels...)...)
}

func outputMetrics(now time.Time) []outputMetric {
	count := func(name, help string, value func(forward.Figures) int64) outputMetric {
		return outputMetric{outputDesc(name, help), prometheus.CounterValue, func(f forward.Figures) float64 { return float64(value(f)) }}
	}
	gauge := func(name, help string, value func(forward.Figures) float64) outputMetric {
		return outputMetric{outputDesc(name, help), prometheus.GaugeValue, value}
	}
	return []outputMetric{
		count("lines_total", "Lines that the receiver took, since the output's state was made.", func(f forward.Figures) int64 { return f.Lines }),
		count("bytes_total", "Bytes of these lines, as they stand in the journal.", func(f forward.Figures) int64 { return f.Bytes }),
		count("duplicates_total", "Lines that the receiver said it had before.", func(f forward.Figures) int64 { return f.Duplicates }),
		count("missed_total", "Times that files were removed before the output had read them.", func(f forward.Figures) int64 { return f.Missed }),
		gauge("up", "Whether the output takes lines.", func(f forward.Figures) float64 {
			if f.State == forward.Working {
				return 1
			}
			return 0
		}),
		gauge("failing", "Whether the receiver refuses all lines for one reason.", func(f forward.Figures) float64 {
			if f.State == forward.Failing {
				return 1
			}
			return 0
		}),
		gauge("lag_seconds", "Age of the first line that the receiver has not taken; 0: there is none.",
			func(f forward.Figures) float64 { return f.LagSeconds(now) }),
		gauge("lag_bytes", "Bytes of the journal's files that the receiver has not taken.", func(f forward.Figures) float64 { return float64(f.LagBytes) }),
		gauge("held_bytes", "Bytes of backups that the output still needs, with which pruning waits as far as forward_hold goes.",
			func(f forward.Figures) float64 { return float64(f.HeldBytes) }),
		gauge("dead_bytes", "Bytes of dead.jsonl, where refused lines are put aside.", func(f forward.Figures) float64 { return float64(f.DeadBytes) }),
		gauge("last_ack_timestamp_seconds", "Unix time at which the receiver took lines last; 0: not since the start.", func(f forward.Figures) float64 {
			if f.LastAck.IsZero() {
				return 0
			}
			return float64(f.LastAck.UnixMilli()) / 1000
		}),
	}
}

// collectOutputs gives the metrics of all outputs.
func collectOutputs(outputs []forward.Figures, to chan<- prometheus.Metric) {
	metrics := outputMetrics(time.Now())
	refused := outputDesc("rejected_lines_total", "Lines that the receiver refused, by its code, since the start.", "reason")
	retries := outputDesc("retries_total", "Batches that have to be sent again, by the kind of trouble, since the start.", "class")
	seconds := outputDesc("batch_seconds", "How long it took to hand a batch over, or to fail.")
	for _, f := range outputs {
		for _, m := range metrics {
			to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(f), f.Name)
		}
		for reason, n := range f.RefusedBy {
			to <- prometheus.MustNewConstMetric(refused, prometheus.CounterValue, float64(n), f.Name, reason)
		}
		for _, class := range forward.Classes() {
			to <- prometheus.MustNewConstMetric(retries, prometheus.CounterValue, float64(f.Retries[class]), f.Name, string(class))
		}
		to <- histogram(seconds, f)
	}
}

func histogram(desc *prometheus.Desc, f forward.Figures) prometheus.Metric {
	buckets := make(map[float64]uint64, len(forward.Bounds))
	total := uint64(0)
	for i, n := range f.Seconds.Counts {
		total += n
		if i < len(forward.Bounds) {
			buckets[forward.Bounds[i]] = total
		}
	}
	return prometheus.MustNewConstHistogram(desc, total, f.Seconds.Sum.Seconds(), buckets, f.Name)
}
