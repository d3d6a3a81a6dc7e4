package rotate

import (
	"time"

	"hbjournal/sink/names"
)

// A Holder has a say in pruning: what it needs is kept beyond the limits, up to Options.HoldBytes, and it is told of what goes all the
// same, with HoldBytes 0 too. It is called without the File locked.
type Holder interface {
	// Done is how many of the backups with these stamps, oldest first, are not needed any more. It costs little.
	Done(stamps []time.Time) int
	// Losing: these backups, oldest first and without endings, which are needed, are removed when it returns. It may take seconds.
	Losing(backups []string)
}

// doneWith is how many of the oldest backups nobody needs; without a Holder all.
func (f *File) doneWith(stocks []stock) int {
	if f.opts.Holder == nil || len(stocks) == 0 {
		return len(stocks)
	}
	stamps := make([]time.Time, len(stocks))
	for i, s := range stocks {
		stamps[i] = s.stamp
	}
	return min(len(stocks), max(0, f.opts.Holder.Done(stamps)))
}

// overrides returns the limit for which a backup goes although it is held; "": none.
func (o Options) overrides(total, free int64) string {
	switch {
	case o.MinFreeBytes > 0 && free < o.MinFreeBytes:
		return limitFree
	case total > o.HoldBytes:
		return limitHold
	}
	return ""
}

// tellLosing tells the Holder which of the backups that go it still needs.
func (f *File) tellLosing(lost []stock) {
	if len(lost) == 0 {
		return
	}
	var gone []string
	for _, s := range lost {
		gone = append(gone, names.OfBackup(f.opts.Name, s.stamp))
	}
	f.opts.Holder.Losing(gone)
}
