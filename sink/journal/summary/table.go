package summary

// Tally is how many entries there were, and the bytes of their lines.
type Tally struct {
	Messages int64 `json:"messages"`
	Bytes    int64 `json:"bytes"`
}

func (t *Tally) add(size int) {
	t.Messages++
	t.Bytes += int64(size)
}

func (t *Tally) used() bool { return t.Messages > 0 }

func (t *Tally) reset() { *t = Tally{} }

func (t *Tally) merge(u *Tally) {
	t.Messages += u.Messages
	t.Bytes += u.Bytes
}

// table holds a row for each name, up to limit names; all further names share the row other.
type table[R any] struct {
	limit int
	rows  map[string]*R
	other *R // nil as long as there was room for every name
}

func newTable[R any](limit int) table[R] {
	return table[R]{limit: limit, rows: make(map[string]*R)}
}

// row returns the row of name, a new one if there is none.
func (t *table[R]) row(name []byte) *R {
	if r, ok := t.rows[string(name)]; ok {
		return r
	}
	return t.newRow(string(name))
}

func (t *table[R]) newRow(name string) *R {
	if len(t.rows) >= t.limit {
		return t.otherRow()
	}
	r := new(R)
	t.rows[name] = r
	return r
}

func (t *table[R]) otherRow() *R {
	if t.other == nil {
		t.other = new(R)
	}
	return t.other
}

// reset empties every row by the function clear, but keeps it, so that its name is found again without making it anew.
// A table that is filling up forgets its names, lest those of one stretch take the room of the next one's.
func (t *table[R]) reset(clear func(*R)) {
	if len(t.rows) > t.limit/2 {
		t.rows = make(map[string]*R)
	}
	t.other = nil
	t.each(clear)
}

// each calls do for every row, the row of the other names included.
func (t *table[R]) each(do func(*R)) {
	for _, r := range t.rows {
		do(r)
	}
	if t.other != nil {
		do(t.other)
	}
}

// merge adds the rows of later that are in use, one by one, by the function add.
func (t *table[R]) merge(later *table[R], used func(*R) bool, add func(to, from *R)) {
	for name, from := range later.rows {
		if !used(from) {
			continue
		}
		to, ok := t.rows[name]
		if !ok {
			to = t.newRow(name)
		}
		add(to, from)
	}
	if later.other != nil {
		add(t.otherRow(), later.other)
	}
}
