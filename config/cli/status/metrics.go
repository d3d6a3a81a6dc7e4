package status

import (
	"maps"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// newRegistry returns a registry of its own, with the figures of what all is about, and of its process.
func newRegistry(all prometheus.Collector) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		all,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

// collector makes all metrics of one scrape from one Snapshot. No label takes its values from messages or senders.
type collector struct {
	version  string
	snapshot func() Snapshot
}

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("journal_"+name, help, labels, nil)
}

// metric is a figure without labels.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(Snapshot) float64
}

func counter(name, help string, value func(Snapshot) uint64) metric {
	return metric{newDesc(name, help), prometheus.CounterValue, func(s Snapshot) float64 { return float64(value(s)) }}
}

func gauge(name, help string, value func(Snapshot) int64) metric {
	return metric{newDesc(name, help), prometheus.GaugeValue, func(s Snapshot) float64 { return float64(value(s)) }}
}

// plain lists the metrics without labels.
func plain() []metric {
	return []metric{
		counter("datagrams_received_total", "Datagrams received.", func(s Snapshot) uint64 { return s.Ledger.Received }),
		counter("received_bytes_total", "Bytes received in datagrams.", func(s Snapshot) uint64 { return s.Ledger.ReceivedBytes }),
		counter("entries_written_total", "Messages written to the journal file.", func(s Snapshot) uint64 { return s.Entries }),
		counter("notes_written_total", "Entries of the journal's own, such as those about gaps.",
			func(s Snapshot) uint64 { return s.Notes }),
		counter("written_bytes_total", "Bytes written to the journal file.", func(s Snapshot) uint64 { return s.Bytes }),
		counter("wrapped_total", "Datagrams that were no JSON objects and were kept as _value, _raw or _raw_base64.",
			func(s Snapshot) uint64 { return s.Ledger.Wrapped }),
		counter("repaired_total", "Datagrams in which bytes that are not UTF-8 were replaced.",
			func(s Snapshot) uint64 { return s.Ledger.Repaired }),
		counter("write_errors_total", "Writes to the journal file that failed and were tried again.",
			func(s Snapshot) uint64 { return s.WriteErrors }),
		counter("backups_removed_total", "Backups removed by clean-up.", func(s Snapshot) uint64 { return s.Removed }),
		counter("backups_compressed_total", "Backups compressed.", func(s Snapshot) uint64 { return s.Compressed }),
		counter("backups_compressed_from_bytes_total", "Bytes of backups before they were compressed.",
			func(s Snapshot) uint64 { return s.CompressedFrom }),
		counter("backups_compressed_to_bytes_total", "Bytes of backups after they were compressed.",
			func(s Snapshot) uint64 { return s.CompressedTo }),
		counter("backups_encrypted_total", "Files of backups encrypted.", func(s Snapshot) uint64 { return s.Encrypted }),
		gauge("backups_unencrypted", "Backups that wait to be encrypted; 0 if none are to be.",
			func(s Snapshot) int64 { return int64(s.Unencrypted) }),
		{
			newDesc("backups_unencrypted_age_seconds", "How long the first backup that waits to be encrypted does, since its rotation or the start; 0 is none."),
			prometheus.GaugeValue, func(s Snapshot) float64 { return s.UnencryptedAge },
		},
		counter("external_changes_total", "Times the journal file was replaced, removed or changed in size by someone else.",
			func(s Snapshot) uint64 { return s.ExternalChanges }),
		gauge("queue_entries", "Messages that wait for the disk.", func(s Snapshot) int64 { return int64(s.Queued) }),
		gauge("queue_bytes", "Bytes that wait for the disk.", func(s Snapshot) int64 { return s.QueuedBytes }),
		gauge("file_size_bytes", "Size of the live journal file.", func(s Snapshot) int64 { return s.CurrentSize }),
		gauge("file_size_limit_bytes", "Size at which the live journal file rotates; 0 is no limit.",
			func(s Snapshot) int64 { return s.RotationThreshold }),
		gauge("backups", "Backups kept.", func(s Snapshot) int64 { return int64(s.Backups) }),
		gauge("disk_free_bytes", "Bytes that may still be written to the journal's file system; -1 is unknown.",
			func(s Snapshot) int64 { return s.DiskFree }),
		gauge("socket_receive_buffer_bytes", "Receive buffer that the kernel granted, all sockets together.",
			func(s Snapshot) int64 { return s.ReceiveBuffer }),
		{
			newDesc("last_write_timestamp_seconds", "Unix time of the last write to the journal file; 0 is never."),
			prometheus.GaugeValue, lastWrite,
		},
	}
}

// sealed lists the metrics of a journal that is sealed.
func sealed() []metric {
	return []metric{
		gauge("seal_lines", "Lines under the seal's last checkpoint.", func(s Snapshot) int64 { return s.Seal.Sealed }),
		gauge("seal_behind_bytes", "Bytes written to the journal that the seal has not hashed yet.",
			func(s Snapshot) int64 { return s.Seal.Behind }),
		gauge("seal_unpublished", "Places that the seal's last checkpoint could not be taken to.",
			func(s Snapshot) int64 { return int64(s.Seal.Unpublished) }),
		gauge("seal_witnessed_lines", "Lines under the last checkpoint that the quorum of witnesses has cosigned.",
			func(s Snapshot) int64 { return s.Seal.Witnessed }),
		{
			newDesc("seal_checkpoint_timestamp_seconds", "Unix time of the seal's last checkpoint; it is not renewed while nothing is written."),
			prometheus.GaugeValue, func(s Snapshot) float64 { return float64(s.Seal.At) / 1000 },
		},
	}
}

func lastWrite(s Snapshot) float64 {
	if s.LastWrite == 0 {
		return 0
	}
	return float64(s.LastWrite) / 1000
}

// family is a figure with one label, whose values are these words and no others.
type family struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	values func(Snapshot) map[string]float64
}

func families() []family {
	return []family{
		{newDesc("dropped_total", "Datagrams that are not in the journal, by reason.", "reason"), prometheus.CounterValue, dropped},
		{newDesc("rotations_total", "Rotations of the journal file, by reason.", "reason"), prometheus.CounterValue, rotations},
		{newDesc("degraded", "Whether something is failing at present, by what.", "cause"), prometheus.GaugeValue, degraded},
	}
}

func dropped(s Snapshot) map[string]float64 {
	all := map[string]float64{
		"kernel": float64(s.Ledger.Kernel), "invalid": float64(s.Ledger.Invalid),
		"filter": float64(s.Ledger.Filtered), "duplicate": float64(s.Ledger.Duplicate),
	}
	for reason, n := range s.Ledger.Dropped {
		all[reason] = float64(n)
	}
	all["ratelimit"], all["source"] = float64(s.Ledger.Limited["rate"]), float64(s.Ledger.Limited["source"])
	return all
}

func rotations(s Snapshot) map[string]float64 {
	all := map[string]float64{"size": 0, "request": 0, "time": 0}
	for reason, n := range s.Rotations {
		all[reason] = float64(n)
	}
	return all
}

func degraded(s Snapshot) map[string]float64 {
	all := map[string]float64{
		"write": 0, "path": 0, "fsync": 0, "rotation": 0, "clean_up": 0, "compression": 0, "encryption": 0, "seal": 0,
	}
	faults := maps.Clone(s.Degraded)
	if faults == nil {
		faults = make(map[string]string)
	}
	faults["rotation"], faults["clean_up"] = s.RotationError, s.CleanUpError
	faults["compression"], faults["encryption"] = s.CompressError, s.EncryptError
	if s.Seal != nil {
		faults["seal"] = s.Seal.Error
	}
	for cause, why := range faults {
		if why != "" {
			all[cause] = 1
		}
	}
	return all
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, to)
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	s := c.snapshot()
	for _, m := range plain() {
		to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s))
	}
	for _, f := range families() {
		for label, value := range f.values(s) {
			to <- prometheus.MustNewConstMetric(f.desc, f.kind, value, label)
		}
	}
	if s.Seal != nil {
		for _, m := range sealed() {
			to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s))
		}
	}
	collectOutputs(s.Outputs, to)
	collectBuild(c.version, to)
}

// collectBuild tells which version is running.
func collectBuild(version string, to chan<- prometheus.Metric) {
	info := newDesc("build_info", "The version that is running.", "version", "go_version")
	to <- prometheus.MustNewConstMetric(info, prometheus.GaugeValue, 1, version, runtime.Version())
}
