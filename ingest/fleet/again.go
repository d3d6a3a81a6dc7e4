package fleet

// firsts are the first of those messages that have to be read again, by partition. The zero value has none.
type firsts map[int32]uint64

func (f *firsts) note(partition int32, offset uint64) {
	if *f == nil {
		*f = make(firsts)
	}
	if first, ok := (*f)[partition]; !ok || offset < first {
		(*f)[partition] = offset
	}
}

// bound puts p before all of them.
func (f firsts) bound(p Position) {
	for partition, first := range f {
		p.Offsets[partition] = min(p.Offsets[partition], first-1)
	}
}

// dealtWith is the position up to which no message has to be read again.
func (a *Archiver) dealtWith() Position {
	p := a.position.clone()
	for _, r := range a.receivers {
		r.missed.bound(p)
		r.hold.messages.bound(p)
	}
	return p
}

// goBack reads on from the first message that can be read again now. Those of other receivers wait on.
func (a *Archiver) goBack() {
	behind := a.position.clone()
	for _, r := range a.receivers {
		if r.again {
			r.missed.bound(behind)
			r.hold.messages.bound(behind)
			r.again, r.missed = false, nil
			r.hold.release()
		}
	}
	if !behind.equal(a.position) {
		a.position = behind
		a.turn = a.reading.seek(behind)
	}
}
