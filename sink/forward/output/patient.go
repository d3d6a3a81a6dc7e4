package output

import (
	"context"
	"fmt"
)

// patient does what nothing can break off once it has begun: a write to a disk that hangs, or to a pipe that nobody empties. Who
// waits for that is let go when there is no more time; what was begun ends when the kernel lets it, or with the process.
type patient struct {
	left chan struct{} // closed when what was let go has ended; nil: nothing was
}

// do runs work, and returns its error, or that of ctx. What was let go before has to end first: two never run at once.
func (p *patient) do(ctx context.Context, work func() error) error {
	if p.left != nil {
		select {
		case <-p.left:
			p.left = nil
		case <-ctx.Done():
			return fmt.Errorf("what was begun before has not ended yet: %w", context.Cause(ctx))
		}
	}
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = work()
	}()
	select {
	case <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case <-ended: // Both came at once.
		return err
	default:
		p.left = ended
		return fmt.Errorf("it hangs: %w", context.Cause(ctx))
	}
}

// isBusy reports whether something that was let go has not ended yet: what it works with must be left alone.
func (p *patient) isBusy() bool {
	if p.left == nil {
		return false
	}
	select {
	case <-p.left:
		p.left = nil
		return false
	default:
		return true
	}
}
