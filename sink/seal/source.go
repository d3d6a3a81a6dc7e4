package seal

import (
	"context"
	"io"
	"io/fs"
	"os"
	"strings"

	"hbjournal/sink/journal/read"
)

// fileSource gives files one after the other, and then a part of an open one.
type fileSource struct {
	paths     []string
	decrypter read.Decrypter
	current   read.Source
	live      *io.SectionReader
	path      string
	offset    int64
}

// source reads the backups, and the live file as it was at the start.
func (w *work) source(backups []string) read.Source {
	return &fileSource{paths: backups, decrypter: w.s.opts.Decrypter, live: io.NewSectionReader(w.s.sources0(), 0, w.from), path: w.s.path}
}

// Read implements read.Source.
func (f *fileSource) Read(ctx context.Context, b *read.Block) error {
	for {
		if f.current == nil && len(f.paths) == 0 {
			return f.readLive(ctx, b)
		}
		if f.current == nil {
			opened, err := openFile(f.paths[0], f.decrypter)
			if err != nil {
				return err
			}
			f.paths, f.current = f.paths[1:], opened
		}
		err := f.current.Read(ctx, b)
		if err == nil && b.Fault != nil {
			return b.Fault
		}
		if err != io.EOF {
			return err
		}
		err = f.current.Close()
		if f.current = nil; err != nil {
			return err
		}
	}
}

// openFile opens a backup, which may have been compressed meanwhile.
func openFile(path string, decrypter read.Decrypter) (read.Source, error) {
	for _, ending := range endings {
		if _, err := os.Lstat(path + ending); err == nil {
			return read.Open(read.Options{Paths: []string{path + ending}, Decrypter: decrypter})
		}
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

func (f *fileSource) readLive(ctx context.Context, b *read.Block) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for size := int64(readBytes); ; size *= 2 {
		text := make([]byte, min(size, f.live.Size()-f.offset))
		if len(text) == 0 {
			return io.EOF
		}
		if _, err := f.live.ReadAt(text, f.offset); err != nil && err != io.EOF {
			return err
		}
		end := strings.LastIndexByte(string(text), '\n') + 1
		if end == 0 && int64(len(text)) < size {
			return io.EOF // A torn line, which is no leaf.
		}
		if end > 0 {
			*b = read.Block{Path: f.path, Offset: f.offset, Data: text[:end]}
			f.offset += int64(end)
			return nil
		}
	}
}

// Close implements read.Source.
func (f *fileSource) Close() error {
	if f.current == nil {
		return nil
	}
	err := f.current.Close()
	f.current = nil
	return err
}
