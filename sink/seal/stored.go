package seal

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// array is a flat file of hashes that grows at its end. What could not be written waits in memory, and is written with what
// comes next.
type array struct {
	path    string
	file    *os.File // nil until something is written
	written int64    // hashes in the file that count
	pending []byte   // of the hashes behind them
}

// maxPending bounds what an array keeps in memory when the disk is full.
const maxPending = 1 << 20

var errFull = errors.New("too many hashes wait for the disk")

func (a *array) add(h Hash) { a.pending = append(a.pending, h[:]...) }

// flush writes what is pending. It is written where it belongs, so that trying again does no harm.
func (a *array) flush() error {
	if len(a.pending) == 0 {
		return nil
	}
	if a.file == nil {
		file, err := os.OpenFile(a.path, os.O_RDWR|os.O_CREATE, 0o640)
		if err != nil {
			return err
		}
		a.file = file
	}
	if _, err := a.file.WriteAt(a.pending, a.written*hashBytes); err != nil {
		if len(a.pending) > maxPending {
			return errors.Join(errFull, err)
		}
		return err
	}
	a.written += int64(len(a.pending) / hashBytes)
	a.pending = a.pending[:0]
	return nil
}

func (a *array) sync() error {
	if a.file == nil {
		return nil
	}
	return a.file.Sync()
}

// cut lets the file end after n hashes. If it has fewer, the others are zeros: of lines that nobody can prove any more.
func (a *array) cut(n int64) error {
	file, err := os.OpenFile(a.path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	if err := file.Truncate(n * hashBytes); err != nil {
		return errors.Join(err, file.Close())
	}
	err = a.close()
	a.file, a.written, a.pending = file, n, nil
	return err
}

func (a *array) close() error {
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	return err
}

// drop removes a file that is named by an index, if it is there.
func (d dir) drop(sub string, index int64) error {
	return ignoreMissing(os.Remove(d.numbered(sub, index)))
}

// putEdge keeps the edge at the start of a file.
func (d dir) putEdge(e *edge) error {
	var flat []byte
	for _, h := range e.hashes {
		flat = append(flat, h[:]...)
	}
	return d.replaceLater(filepath.Join(dirEdges, fmt.Sprintf("%020d", e.size)), flat)
}

// edgeAt returns the edge that was kept at a size.
func (d dir) edgeAt(size int64) (edge, bool) {
	flat, err := d.read(filepath.Join(dirEdges, fmt.Sprintf("%020d", size)), 2*64*hashBytes)
	left := bits.OnesCount64(uint64(size)) * hashBytes
	if err != nil && size > 0 || len(flat)%hashBytes != 0 || len(flat) < left {
		return edge{}, false
	}
	return edge{size: size, hashes: hashesIn(flat[:left])}, true
}

func hashesIn(flat []byte) []Hash {
	var hashes []Hash
	for chunk := range slices.Chunk(flat, hashBytes) {
		hashes = append(hashes, Hash(chunk))
	}
	return hashes
}

// around adds to found the nodes that are kept of a size for good: those of the edge, and those from there to the end of the tile, by
// their first leaf and the number of their leaves.
func (d dir) around(size int64, found map[[2]int64]Hash) {
	flat, err := d.read(filepath.Join(dirEdges, fmt.Sprintf("%020d", size)), 2*64*hashBytes)
	if err != nil {
		return
	}
	hashes := hashesIn(flat[:len(flat)-len(flat)%hashBytes])
	at := int64(0)
	for level := 62; level >= 0 && len(hashes) > 0; level-- {
		if size>>level&1 == 1 {
			found[[2]int64{at, 1 << level}] = hashes[0]
			at, hashes = at+1<<level, hashes[1:]
		}
	}
	for at == size && len(hashes) > 0 && size%(1<<tileBits) != 0 {
		count := size & -size
		found[[2]int64{size, count}] = hashes[0]
		size, at, hashes = size+count, size+count, hashes[1:]
	}
}

// nodes reads nodes of the tree from the files of a directory, as they are: what it gives is to be proved.
type nodes struct {
	dir    dir
	around map[[2]int64]Hash // what is kept of some sizes, where the leaves are gone; may be nil
}

// nodesOf is what proves that the tree of one size extends that of another.
func (d dir) nodesOf(sizes ...int64) nodes {
	n := nodes{d, map[[2]int64]Hash{}}
	entries, _ := os.ReadDir(d.path(dirEdges)) // Without them, the leaves may do.
	for _, e := range entries {
		kept, err := strconv.ParseInt(e.Name(), 10, 64)
		if err == nil && slices.ContainsFunc(sizes, func(size int64) bool { return kept>>tileBits == size>>tileBits }) {
			d.around(kept, n.around)
		}
	}
	return n
}

var errNoNode = errors.New("the seal's state does not hold this part of the tree any more")

// ReadHashes implements tlog.HashReader.
func (n nodes) ReadHashes(indexes []int64) ([]Hash, error) {
	found := make([]Hash, 0, len(indexes))
	for _, index := range indexes {
		level, at := tlog.SplitStoredHashIndex(index)
		h, err := n.at(level, at)
		if err != nil {
			return nil, fmt.Errorf("%w: lines from %d on (%w)", errNoNode, at<<level, err)
		}
		found = append(found, h)
	}
	return found, nil
}

// at is the node over the leaves from at<<level to the next such.
func (n nodes) at(level int, at int64) (Hash, error) {
	if h, ok := n.around[[2]int64{at << level, 1 << level}]; ok {
		return h, nil
	}
	for base := min(level/tileBits, len(tileFiles)); base >= 0; base-- {
		stored, err := n.row(base, at<<(level-base*tileBits), int64(1)<<(level-base*tileBits))
		if err == nil {
			return fold(stored), nil
		}
	}
	if level == 0 || level > tileBits || len(n.around) == 0 {
		return Hash{}, errNoNode
	}
	left, err := n.at(level-1, 2*at)
	if err != nil {
		return Hash{}, err
	}
	right, err := n.at(level-1, 2*at+1)
	return nodeHash(left, right), err
}

// fold is the root over a power of two hashes.
func fold(row []Hash) Hash {
	for len(row) > 1 {
		for i := range len(row) / 2 {
			row[i] = nodeHash(row[2*i], row[2*i+1])
		}
		row = row[:len(row)/2]
	}
	return row[0]
}

// row reads hashes of a level of tiles: leaves are level 0.
func (n nodes) row(level int, from, count int64) ([]Hash, error) {
	if level > 0 {
		return readHashes(n.dir.path(tileFiles[level-1]), from, count)
	}
	var row []Hash
	for count > 0 {
		first, err := n.leavesWith(from)
		if err != nil {
			return nil, err
		}
		part, err := readHashes(n.dir.numbered(dirLeaves, first), from-first, count)
		if len(part) == 0 {
			return nil, errors.Join(errNoNode, err)
		}
		row, from, count = append(row, part...), from+int64(len(part)), count-int64(len(part))
	}
	return row, nil
}

// leavesWith returns the number of the file of leaves that an index is in.
func (n nodes) leavesWith(index int64) (int64, error) {
	entries, err := os.ReadDir(n.dir.path(dirLeaves))
	if err != nil {
		return 0, err
	}
	best := int64(-1)
	for _, e := range entries {
		if first, err := strconv.ParseInt(e.Name(), 10, 64); err == nil && first <= index {
			best = max(best, first)
		}
	}
	if best < 0 {
		return 0, errNoNode
	}
	return best, nil
}

// readHashes reads up to count hashes of a flat file; with an error if there are fewer.
func readHashes(path string, from, count int64) ([]Hash, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	const most = 1 << 22 // 128 MiB of them
	if from < 0 || count < 0 || count > most {
		return nil, errNoNode
	}
	flat := make([]byte, count*hashBytes)
	n, err := file.ReadAt(flat, from*hashBytes)
	if err == io.EOF && n == len(flat) {
		err = nil
	}
	var found []Hash
	for chunk := range slices.Chunk(flat[:n-n%hashBytes], hashBytes) {
		found = append(found, Hash(chunk))
	}
	return found, err
}
