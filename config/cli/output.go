package cli

import (
	"bufio"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/term"
)

// output is a command's results on their way out, with a header before the first of them.
type output struct {
	w      *bufio.Writer
	header string
}

func newOutput(w io.Writer) *output { return &output{w: bufio.NewWriterSize(w, 64<<10)} }

func (o *output) write(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if o.header != "" {
		if _, err := o.w.WriteString(o.header); err != nil {
			return err
		}
		o.header = ""
	}
	_, err := o.w.Write(text)
	return err
}

func (o *output) flush() error { return o.w.Flush() }

// buffers keeps the memory of texts that were written for those to come. It may be used by several goroutines.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() []byte {
	if kept, ok := b.pool.Get().(*[]byte); ok {
		return (*kept)[:0]
	}
	return nil
}

func (b *buffers) put(text []byte) {
	const most = 4 << 20 // What one huge line took is let go.
	if cap(text) > 0 && cap(text) <= most {
		b.pool.Put(&text)
	}
}

// isClosedPipe reports whether err says that the reader of the output went away, as head does: it has seen enough.
func isClosedPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// terminalWidth returns the columns of w, and whether it is a terminal at all.
func terminalWidth(w io.Writer) (columns int, terminal bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		columns = 0
	}
	return columns, true
}

// terminalRows returns the rows of w; 0: it is no terminal.
func terminalRows(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	_, rows, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return rows
}
