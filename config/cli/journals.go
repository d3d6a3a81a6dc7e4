package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
)

// journalsOf says which journals the arguments of a command are: a directory is the journal in it, and the files of one
// journal are one, which of them there may be. Standard input is one of its own, unless only files are named.
func journalsOf(args []string, base string) ([]read.Journal, error) {
	if !slices.ContainsFunc(args, isDir) && (len(args) < 2 || slices.Contains(args, read.Stdin)) {
		return []read.Journal{{Paths: args}}, nil
	}
	var found groups
	var faults []error
	for _, arg := range args {
		if !isDir(arg) {
			faults = append(faults, missing(arg))
			found.addFile(arg)
		} else if err := checkJournalDir(arg, base); err != nil {
			faults = append(faults, err)
		} else {
			found.addDir(arg, base)
		}
	}
	if faults = slices.DeleteFunc(faults, func(err error) bool { return err == nil }); len(faults) > 0 {
		return nil, joinFaults(faults)
	}
	return found.journals(), nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// A group is what the arguments say of one journal.
type group struct {
	read.Journal
	whole bool // by its directory: files of it that are named as well add nothing
}

// groups are the journals that arguments name, in the order in which they are named first.
type groups struct {
	all []*group
	at  map[string]*group // by directory and base
}

func (g *groups) of(dir, base string) *group {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	key := filepath.Join(absolute(dir), base)
	if g.at == nil {
		g.at = map[string]*group{}
	}
	if g.at[key] == nil {
		g.at[key] = &group{}
		g.all = append(g.all, g.at[key])
	}
	return g.at[key]
}

func (g *groups) addDir(dir, base string) {
	to := g.of(dir, base)
	to.Journal, to.whole = read.Journal{Dir: dir, Base: base}, true
}

func (g *groups) addFile(path string) {
	base := filepath.Base(path)
	if of, backup := names.BaseOf(base); backup {
		base = of
	}
	if to := g.of(filepath.Dir(path), base); !to.whole {
		to.Paths = append(to.Paths, path)
	}
}

func (g *groups) journals() []read.Journal {
	var journals []read.Journal
	for _, one := range g.all {
		journals = append(journals, one.Journal)
	}
	return journals
}

// noJournalError says that a directory holds no journal of the name that is looked for.
type noJournalError struct {
	dir, base string
	below     bool // its subdirectories hold journals
}

func (e *noJournalError) Error() string {
	return fmt.Sprintf("%s holds no journal: there is no %s in it", e.dir, e.base)
}

// hint says what to do about it.
func (e *noJournalError) hint() string {
	if e.below {
		return fmt.Sprintf("its subdirectories hold journals: give %s to read them all", filepath.Join(e.dir, "*"))
	}
	return fmt.Sprintf("a directory is read as the journal %s in it: set --journal-file if it has another name, or give the files", e.base)
}

// checkJournalDir returns what is wrong with a directory that is given as a journal.
func checkJournalDir(dir, base string) error {
	files, err := names.Files(dir, base)
	if err != nil || len(files) > 0 {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	below := slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		sub := filepath.Join(dir, e.Name())
		files, err := names.Files(sub, base)
		return isDir(sub) && err == nil && len(files) > 0
	})
	return &noJournalError{dir, base, below}
}

// missing is the error for a file that is not there. Later it would be a fault of one journal, and the others be read.
func missing(path string) error {
	if path == read.Stdin {
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// joinFaults is the error for all arguments that cannot be read, with a hint.
func joinFaults(faults []error) error {
	const most = 10
	err := errors.Join(faults[:min(most, len(faults))]...)
	if more := len(faults) - most; more > 0 {
		err = errors.Join(err, fmt.Errorf("and %d more like these", more))
	}
	hint := "name files and directories that exist, or none to read the configured journal"
	var none *noJournalError
	if errors.As(err, &none) {
		hint = none.hint()
	}
	return &usageError{err, hint}
}

// setJournals makes the reading one of these journals.
func setJournals(opt *read.Options, journals []read.Journal) {
	if len(journals) == 1 {
		opt.Dir, opt.Base = cmp.Or(journals[0].Dir, opt.Dir), cmp.Or(journals[0].Base, opt.Base)
		opt.Paths = journals[0].Paths
		return
	}
	opt.Journals = journals
}

// follows reports whether all of opt can be followed: each is a journal by its directory, or by its live file.
func follows(opt read.Options) bool {
	return !slices.ContainsFunc(opt.Each(), func(j read.Journal) bool { return len(j.Paths) > 1 }) && !opt.ReadsStdin()
}

// makeWhole makes of journals that are named by their live files the whole journals.
func makeWhole(opt *read.Options) {
	whole := func(dir, base *string, paths *[]string) {
		if len(*paths) == 1 {
			*dir, *base, *paths = filepath.Dir((*paths)[0]), filepath.Base((*paths)[0]), nil
		}
	}
	whole(&opt.Dir, &opt.Base, &opt.Paths)
	opt.Journals = slices.Clone(opt.Journals)
	for i := range opt.Journals {
		j := &opt.Journals[i]
		whole(&j.Dir, &j.Base, &j.Paths)
	}
}
