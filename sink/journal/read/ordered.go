package read

import (
	"context"
	"io"
	"runtime"
	"sync"
)

// job is a block on its way through Ordered.
type job[T any] struct {
	block Block
	done  chan T // has room for one
}

// Ordered reads source to its end, lets work loose on its blocks on all cores, and hands the results to emit in the
// order of the blocks, one at a time on the caller's goroutine. The block belongs to work until emit has returned for it,
// so a result may point into it. An error of emit stops everything, and is returned.
func Ordered[T any](ctx context.Context, source Source, work func(*Block) T, emit func(T) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	workers := runtime.GOMAXPROCS(0)
	free := make(chan *job[T], 2*workers)
	for range cap(free) {
		free <- &job[T]{done: make(chan T, 1)}
	}
	todo, queue := make(chan *job[T], cap(free)), make(chan *job[T], cap(free))
	for range workers {
		wg.Go(func() {
			for j := range todo {
				j.done <- work(&j.block)
			}
		})
	}
	var readErr error
	wg.Go(func() {
		defer close(queue)
		defer close(todo)
		readErr = readJobs(ctx, source, free, func(j *job[T]) { todo <- j; queue <- j })
	})
	for j := range queue {
		if err := emit(<-j.done); err != nil {
			return err
		}
		free <- j
	}
	return readErr
}

// readJobs reads blocks into free jobs and starts them, until the end of source.
func readJobs[T any](ctx context.Context, source Source, free <-chan *job[T], start func(*job[T])) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case j := <-free:
			if err := source.Read(ctx, &j.block); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			start(j)
		}
	}
}
