package fleet

import (
	"errors"
	"fmt"
	"os"
)

// control is what is asked of the work from outside.
type control struct {
	do   func(*receiver) error
	done chan error
}

// Rotate makes the live files of all receivers backups.
func (a *Archiver) Rotate() error {
	return a.control(func(r *receiver) error {
		if err := r.open(); err != nil {
			return err
		}
		return r.file.Rotate("request")
	})
}

// Reopen opens the paths of all live files that are open anew.
func (a *Archiver) Reopen() error {
	return a.control(func(r *receiver) error {
		if r.file == nil {
			return nil
		}
		return r.file.Reopen()
	})
}

// control has the work do something with each receiver.
func (a *Archiver) control(do func(*receiver) error) error {
	c := control{do: do, done: make(chan error, 1)}
	select {
	case a.controls <- c:
		return <-c.done
	case <-a.ended:
		return os.ErrClosed
	}
}

// obey does what is asked.
func (a *Archiver) obey(c control) {
	var errs []error
	for _, r := range a.receivers {
		if !r.known || r.missing {
			continue
		}
		a.figures.moves() // A rotation compresses.
		errs = append(errs, a.makeRoom([]*receiver{r}))
		if err := c.do(r); err != nil {
			errs = append(errs, fmt.Errorf("receiver %s: %w", r.name, err))
		}
	}
	c.done <- errors.Join(errs...)
}
