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

// journalsOf says which journals the arguments of a command are, or those at dir without any: a directory is the journal in
// it, or those of the receivers in it, and the files of one journal are one, which of them there may be. Standard input is
// one of its own, unless only files are named.
func journalsOf(args []string, dir, base string) (groups, error) {
	if len(args) == 0 {
		return configured(dir, base), nil
	}
	if !slices.ContainsFunc(args, isDir) && (len(args) < 2 || slices.Contains(args, read.Stdin)) {
		return groups{all: []*group{{Journal: read.Journal{Paths: args}}}}, nil
	}
	var found groups
	var faults []error
	bases := names.Bases(args)
	for i, arg := range args {
		if !isDir(arg) {
			faults = append(faults, missing(arg))
			found.addFile(arg, bases[i])
			continue
		}
		dirs, err := journalDirs(arg, base)
		faults = append(faults, err)
		found.addDirs(arg, base, dirs)
	}
	if faults = slices.DeleteFunc(faults, func(err error) bool { return err == nil }); len(faults) > 0 {
		return found, joinFaults(faults)
	}
	return found, nil
}

// configured are the journals at dir. That there is none is found out by who reads it.
func configured(dir, base string) groups {
	dirs, err := journalDirs(dir, base)
	if err != nil {
		dirs = []string{dir}
	}
	var found groups
	found.addDirs(dir, base, dirs)
	return found
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
	all    []*group
	at     map[string]*group // by directory and base
	fleets []string          // the directories of receivers
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

// addDirs adds the journals that dir stands for, which are in dirs.
func (g *groups) addDirs(dir, base string, dirs []string) {
	for _, of := range dirs {
		to := g.of(of, base)
		to.Journal, to.whole = read.Journal{Dir: of, Base: base}, true
	}
	if len(dirs) > 0 && dirs[0] != dir {
		g.fleets = append(g.fleets, dir)
	}
}

func (g *groups) addFile(path, base string) {
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
type noJournalError struct{ dir, base string }

func (e *noJournalError) Error() string {
	return fmt.Sprintf("%s holds no journal: there is no %s in it, nor in a directory in it", e.dir, e.base)
}

// hint says what to do about it.
func (e *noJournalError) hint() string {
	return fmt.Sprintf("a directory is read as the journal %s in it, or as those in its subdirectories: "+
		"set --journal-file if it has another name, or give the files", e.base)
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
