package seal

import (
	"crypto/sha256"
	"io"
	"os"
)

// encryptedFile is one that was met on the way and could not be read.
type encryptedFile struct {
	path   string
	name   string // that it was rotated to, as far as its present name tells
	record *fileRecord
}

// isEncrypted reports whether the file of a record is one of those that could not be read.
func (p *pass) isEncrypted(r *fileRecord) bool {
	for _, f := range p.encrypted {
		if f.record == r || f.record == nil && f.name == r.Name {
			return true
		}
	}
	return false
}

// jump goes on behind encrypted files, at one of which the seal knows where it begins. What was computed before is held to the
// head by the seal's state.
func (p *pass) jump(r *fileRecord) {
	if r == nil || len(p.encrypted) == 0 || r.First <= p.tree.size || r.First > p.v.head.Size {
		return
	}
	e, ok := p.v.dir.edgeAt(r.First)
	if !ok {
		return
	}
	if before := (Checkpoint{Size: p.tree.size, Root: p.tree.root()}); p.tree.size > 0 && !p.v.extends(before) {
		return
	}
	p.jumped = append(p.jumped, [2]int64{p.tree.size, r.First})
	p.tree = e
}

// wentOver reports whether the tree of a size was computed on the way.
func (p *pass) wentOver(size int64) bool {
	for _, over := range p.jumped {
		if over[0] < size && size < over[1] {
			return false
		}
	}
	return size >= p.start.tree.size
}

// judgeJumps says which lines are missing between those that could be read.
func (v *verifier) judgeJumps(p *pass) {
	for _, over := range p.jumped {
		if !v.isEncrypted(p, over[0], over[1]) {
			v.fault("", 0, "lines %s to %s are missing%s", comma(over[0]), comma(over[1]-1), v.filesOf(over[0], over[1]))
		}
	}
}

// judgeEncrypted says what is known of the files that could not be read.
func (v *verifier) judgeEncrypted(p *pass) {
	known := v.knownStored(p)
	var unchecked []string
	checked, last := 0, int64(-1)
	for i := range p.encrypted {
		f := &p.encrypted[i]
		sum, bytes, err := sumOf(f.path)
		if err != nil {
			v.fault(f.path, 0, "the file cannot be read: %v", err)
			continue
		}
		r := recordOf(known, sum, bytes)
		switch {
		case r == nil && namedIn(known, f.name) != nil:
			v.fault(f.path, 0, "the file is encrypted, and its bytes are not those that were sealed: it was altered")
		case r == nil:
			unchecked = append(unchecked, f.path)
		case r.First <= last:
			v.fault(f.path, 0, "the file stands in the place of another: it was sealed as %s", r.Stored.Name)
		default:
			f.record, last = r, r.First
			checked++
		}
	}
	v.sayEncrypted(unchecked, checked)
}

// sayEncrypted says how many files could not be read: those of which nothing was checked, and the number of the others.
func (v *verifier) sayEncrypted(unchecked []string, checked int) {
	switch n := len(unchecked); n {
	case 0:
	case 1:
		v.fault(unchecked[0], 0, "the file is encrypted and was not checked: give --identity")
	default:
		v.fault(unchecked[0], 0, "%d files from here on are encrypted and were not checked: give --identity", n)
	}
	files, whose := "1 file is", "its"
	if checked > 1 {
		files, whose = comma(int64(checked))+" files are", "their"
	}
	switch {
	case checked > 0 && v.opt.StoredOnly:
		v.remark("%s encrypted: only %s stored bytes were checked", files, whose)
	case checked > 0:
		v.fault("", 0, "%s encrypted: only %s stored bytes were checked: give --identity (--stored-only accepts that)", files, whose)
	}
}

// knownStored are the records of packed files that the journal itself vouches for.
func (v *verifier) knownStored(p *pass) []*fileRecord {
	if p.stored == nil || !p.ok {
		return nil
	}
	if files, sum := v.ledger.digest(*p.stored); sum != p.stored.SHA256 || uint64(files) != p.stored.Files {
		return nil
	}
	var known []*fileRecord
	for _, r := range v.ledger.files {
		if r.Stored != nil && r.Stored.Number <= int64(p.stored.Number) && r.First >= int64(p.stored.From) {
			known = append(known, r)
		}
	}
	return known
}

func recordOf(known []*fileRecord, sum Hash, bytes int64) *fileRecord {
	for _, r := range known {
		if r.Stored.SHA256 == sum && r.Stored.Bytes == bytes {
			return r
		}
	}
	return nil
}

func namedIn(known []*fileRecord, name string) *fileRecord {
	for _, r := range known {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// sumOf is the SHA-256 of what a file holds.
func sumOf(path string) (sum Hash, bytes int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return sum, 0, err
	}
	defer file.Close()
	hash := sha256.New()
	bytes, err = io.Copy(hash, file)
	hash.Sum(sum[:0])
	return sum, bytes, err
}
