package rotate

import (
	"fmt"
	"slices"
	"time"
)

// A round goes once over all backups that are to be packed.
type round struct {
	f      *File
	p      *pace
	failed map[string]attempt
	tried  map[time.Time]bool
	first  error     // about the oldest of those that failed
	oldest time.Time // of those

	rotations uint64 // when it was last looked what there is to do
}

// maxDepth bounds how often the packing of one backup is interrupted by that of a newer one.
const maxDepth = 8

// run tries every backup whose time has come. Its error is about the oldest of those that failed.
func (r *round) run() error {
	if err := r.f.removePacked(); err != nil {
		return err
	}
	if r.f.opts.Encrypter != nil { // None shall lie open because an older one takes long.
		r.p.interrupt = r.interrupt
	}
	for {
		todo, err := r.todo()
		if err != nil {
			return err
		}
		if len(todo) == 0 {
			r.f.packing.failed = r.failed
			return r.first
		}
		for i, s := range todo {
			if i > 0 && r.rotations != r.f.countRotations() {
				break // What has been rotated meanwhile may have to come before the rest.
			}
			if err := r.try(s); err != nil {
				return err
			}
		}
	}
}

// todo are the backups that are left, in their order.
func (r *round) todo() ([]stock, error) {
	r.rotations = r.f.countRotations()
	todo, err := r.f.unpacked()
	if err != nil {
		return nil, err
	}
	held := r.f.held(todo)
	return slices.DeleteFunc(todo, func(s stock) bool { return r.tried[s.stamp] || held[s.stamp] }), nil
}

// interrupt encrypts what was rotated since the round last looked, before it goes on with an older backup. Its error is that
// it was stopped.
func (r *round) interrupt() error {
	if r.p.depth == maxDepth || r.rotations == r.f.countRotations() {
		return nil
	}
	newest := r.newest()
	todo, err := r.todo()
	if err != nil {
		return nil // The round itself will find that out.
	}
	r.p.depth++
	defer func() { r.p.depth-- }()
	for _, s := range todo {
		if !s.stamp.After(newest) {
			break
		}
		if err := r.try(s); err != nil {
			return err
		}
	}
	return nil
}

// newest is the stamp of the newest backup that was tried.
func (r *round) newest() (stamp time.Time) {
	for tried := range r.tried {
		if tried.After(stamp) {
			stamp = tried
		}
	}
	return stamp
}

func (f *File) countRotations() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rotations
}

// try packs one backup, if its time has come. The error is that it was stopped.
func (r *round) try(s stock) error {
	r.tried[s.stamp] = true
	name := s.files[0].Name
	last := r.f.packing.failed[name]
	if !last.waits(r.f.opts.Now()) {
		err := r.f.packStock(s, r.p)
		switch {
		case isStopped(err):
			return err
		case err == nil:
			return nil
		}
		last = last.next(fmt.Errorf("%s %s: %w", r.verb(), name, err), r.f.opts.Now())
	}
	r.failed[name] = last
	if r.first == nil || s.stamp.Before(r.oldest) {
		r.first, r.oldest = last.err, s.stamp
	}
	return nil
}

func (r *round) verb() string {
	if r.f.opts.Encrypter != nil {
		return "encrypt"
	}
	return "compress"
}
