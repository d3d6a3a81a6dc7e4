package read

import (
	"bytes"
	"slices"
)

// An output is the block that a merged is making.
type output struct {
	*merged
	block *Block
	data  []byte // all of the memory
	pos   int    // where the next line goes; or ends, in reverse
}

func (o *output) begin() {
	o.data = o.block.sized(0)
	if o.reverse {
		o.pos = len(o.data)
	}
}

// take takes the lines of f that come before the next line of other, which is nil if there is none. It reports whether the
// block is full.
func (o *output) take(f, other *feed) (full bool) {
	from, number := f.pos, f.number
	for !full && !f.used(o.reverse) {
		if f.place(o.reverse); other != nil && !f.before(other, o.reverse) {
			break
		}
		next := f.next(o.reverse)
		if o.reverse && f.torn(f.pos) && !o.empty() {
			full = true // It may only be the last line of a block.
			break
		}
		if n := max(next-from, from-next); n > o.room() {
			if full = !o.empty() || f.pos != from; full {
				break
			}
			o.grow(n)
		}
		f.pos, f.fresh = next, false
		full = !o.reverse && f.torn(next)
	}
	o.add(f, from, number)
	return full
}

// torn reports whether the line that ends at pos has no newline.
func (f *feed) torn(pos int) bool { return pos > 0 && f.block.Data[pos-1] != '\n' }

// next is where the line behind the next one starts; or ends, in reverse.
func (f *feed) next(reverse bool) (next int) {
	if reverse {
		_, next = f.block.lineBefore(f.pos)
	} else {
		_, next = f.block.lineAt(f.pos)
	}
	return next
}

func (o *output) empty() bool { return o.room() == len(o.data) }

// room is how many bytes the block can still take.
func (o *output) room() int {
	if o.reverse {
		return o.pos
	}
	return len(o.data) - o.pos
}

// grow makes an empty block large enough for n bytes.
func (o *output) grow(n int) {
	if o.data = o.block.sized(n); o.reverse {
		o.pos = len(o.data)
	}
}

// add adds what was taken of f: from where it stood to where it stands now.
func (o *output) add(f *feed, from int, number int64) {
	start, data := from, f.block.Data[min(from, f.pos):max(from, f.pos)]
	if len(data) == 0 {
		return
	}
	if o.reverse {
		o.pos -= len(data)
		start = f.pos
	}
	o.block.runs = append(o.block.runs, run{o.pos, f.block.Path, f.block.Offset + int64(start), number, f.block.start})
	copy(o.data[o.pos:], data)
	if !o.reverse {
		o.pos += len(data)
	}
	if f.number > 0 {
		f.number += int64(bytes.Count(data, newline))
	}
}

// end makes the lines those of the block.
func (o *output) end() {
	b := o.block
	if !o.reverse {
		b.Data = o.data[:o.pos]
	} else {
		b.Data = o.data[o.pos:]
		for i := range b.runs {
			b.runs[i].pos -= o.pos
		}
		slices.Reverse(b.runs)
	}
	if len(b.runs) > 0 {
		b.Path = b.runs[0].path
	} else if b.Fault != nil {
		b.Path = b.Fault.Path
	}
}
