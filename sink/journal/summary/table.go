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

func (t *Tally) merge(u *Tally) {
	t.Messages += u.Messages
	t.Bytes += u.Bytes
}

func (t *Tally) reset() { *t = Tally{} }

// table holds a row for each name, up to limit names; all further names share the row other.
type table[R any] struct {
	limit int
	rows  map[string]*named[R]
	inUse []*named[R] // the rows asked for since the last reset
	other *R          // nil as long as there was room for every name
}

// named is one row of a table.
type named[R any] struct {
	name  string
	inUse bool
	row   R
}

func newTable[R any](limit int) table[R] {
	return table[R]{limit: limit, rows: make(map[string]*named[R])}
}

// row returns the row of name, a new one if there is none.
func (t *table[R]) row(name []byte) *R {
	n, ok := t.rows[string(name)]
	if !ok {
		return t.newRow(string(name))
	}
	return t.use(n)
}

// use marks n as in use and returns its row.
func (t *table[R]) use(n *named[R]) *R {
	if !n.inUse {
		n.inUse = true
		t.inUse = append(t.inUse, n)
	}
	return &n.row
}

func (t *table[R]) newRow(name string) *R {
	if len(t.rows) >= t.limit {
		return t.otherRow()
	}
	n := &named[R]{name: name}
	t.rows[name] = n
	return t.use(n)
}

func (t *table[R]) otherRow() *R {
	if t.other == nil {
		t.other = new(R)
	}
	return t.other
}

// each calls do for every row in use, that of the other names included.
func (t *table[R]) each(do func(*R)) {
	for _, n := range t.inUse {
		do(&n.row)
	}
	if t.other != nil {
		do(t.other)
	}
}

// reset empties the rows by the function clear, but keeps them, so that their names need not be made anew. A table that
// is filling up forgets its names, lest those of one stretch take the room of the next one's.
func (t *table[R]) reset(clear func(*R)) {
	t.other = nil
	if len(t.rows) > t.limit/2 {
		*t = newTable[R](t.limit)
		return
	}
	t.each(clear)
	for _, n := range t.inUse {
		n.inUse = false
	}
	t.inUse = t.inUse[:0]
}

// merge adds the rows of later, one by one, by the function add.
func (t *table[R]) merge(later *table[R], add func(to, from *R)) {
	for _, n := range later.inUse {
		if to, ok := t.rows[n.name]; ok {
			add(t.use(to), &n.row)
		} else {
			add(t.newRow(n.name), &n.row)
		}
	}
	if later.other != nil {
		add(t.otherRow(), later.other)
	}
}
