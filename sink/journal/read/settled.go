package read

import "slices"

// settled says which files without a stamp a chain has dealt with. A name tells nothing of them: logrotate gives it to another
// file meanwhile.
type settled struct {
	done   map[mark]bool // dealt with; true: as files that another program had rotated
	todo   map[mark]bool // if not nil, what else is to be read: what came later is not
	blanks []*file       // that were handed out as live ones before they held a line; it shows later what they are known by
}

// settle marks f as dealt with; rotated: as a file that another program has rotated.
func (s *settled) settle(f *file, rotated bool) {
	switch {
	case f.fingerprint.hash != 0:
		s.add(mark{hash: f.fingerprint.hash}, rotated)
	case f.Live() && f.plain && !slices.Contains(s.blanks, f):
		s.blanks = append(s.blanks, f)
	}
}

func (s *settled) add(m mark, rotated bool) {
	if s.done == nil {
		s.done = map[mark]bool{}
	}
	s.done[m] = s.done[m] || rotated
}

// isSettled reports whether nothing of k is to be read.
func (s *settled) isSettled(k *content) bool {
	if k.empty() {
		return true
	}
	s.identifyBlanks()
	if _, done := s.done[k.mark()]; done || slices.ContainsFunc(s.blanks, func(f *file) bool { return k.is(f.info) }) {
		return true
	}
	return s.todo != nil && !s.todo[k.mark()]
}

// wasRotated reports whether f has been dealt with as a file that another program had rotated.
func (s *settled) wasRotated(f *file) bool { return s.done[mark{hash: f.fingerprint.hash}] }

// identifyBlanks sees which of the blank files hold a line now. Those that were closed without one are forgotten, since their
// inodes may belong to other files.
func (s *settled) identifyBlanks() {
	s.blanks = slices.DeleteFunc(s.blanks, func(f *file) bool {
		if !f.closed {
			f.identify()
		}
		if f.fingerprint.hash != 0 {
			s.add(mark{hash: f.fingerprint.hash}, true)
		}
		return f.closed || f.fingerprint.hash != 0
	})
}
