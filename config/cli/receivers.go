package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hbjournal/config"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
)

// A directory without a journal of its own, whose subdirectories hold journals, is a fleet: each of them is the journal of
// a receiver, which has the name of the subdirectory. So have all journals, wherever they are.

// journalDirs are the directories of the journals that dir stands for: itself, or those of its receivers.
func journalDirs(dir, base string) ([]string, error) {
	files, err := names.Files(dir, base)
	if err != nil || len(files) > 0 {
		return []string{dir}, err
	}
	dirs, err := receiversIn(dir, base, nil)
	if err == nil && len(dirs) == 0 {
		err = &noJournalError{dir, base}
	}
	return dirs, err
}

// receiversIn are the subdirectories of dir that hold journals, but for those that are known.
func receiversIn(dir, base string, known map[string]bool) (dirs []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var faults []error
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		if known[sub] || !maybeReceiver(e.Name()) || !isDir(sub) {
			continue
		}
		switch files, err := names.Files(sub, base); {
		case err != nil:
			faults = append(faults, err)
		case len(files) > 0:
			dirs = append(dirs, sub)
		}
	}
	return dirs, errors.Join(faults...)
}

// maybeReceiver reports whether a subdirectory may be that of a receiver: not the state of an archiver, nor what a file
// system keeps for itself.
func maybeReceiver(name string) bool { return !strings.HasPrefix(name, ".") && name != "lost+found" }

// receiverOf is the name of the receiver in whose journal the file is.
func receiverOf(path string) string {
	if path == read.Stdin {
		return path
	}
	dir := filepath.Dir(path)
	if dir == "." || strings.HasSuffix(dir, "..") {
		dir = absolute(dir)
	}
	return filepath.Base(dir)
}

// receiverOfJournal is receiverOf for all files of j.
func receiverOfJournal(j read.Journal) string {
	dir, base := j.Place()
	return receiverOf(filepath.Join(dir, base))
}

// addReceiver adds the flag that chooses receivers.
func (s *selection) addReceiver(cmd *cobra.Command) {
	cmd.Flags().Var(&someTexts{&s.receivers, true}, "receiver",
		"only the journals of receivers whose names match this `glob`: the names of their directories; more than one: any of them")
	completeBy(cmd, "receiver", func(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return s.offerReceivers(args, begun), cobra.ShellCompDirectiveNoFileComp
	})
}

// chooseReceivers are those of the journals that --receiver asks for.
func (s *selection) chooseReceivers(journals []read.Journal) ([]read.Journal, error) {
	if len(s.receivers) == 0 {
		return journals, nil
	}
	if slices.ContainsFunc(journals, func(j read.Journal) bool { return slices.Contains(j.Paths, read.Stdin) }) {
		return nil, &usageError{errors.New("--receiver: standard input is of no receiver"), "give the FILEs or DIRs"}
	}
	var here []string
	for _, text := range s.receivers {
		g, err := journal.CompileGlob(text)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--receiver %q: %w", text, err), "for example --receiver 'site-*'"}
		}
		s.wanted = append(s.wanted, g)
	}
	chosen := slices.DeleteFunc(slices.Clone(journals), func(j read.Journal) bool {
		here = append(here, receiverOfJournal(j))
		return !s.wants(receiverOfJournal(j))
	})
	if len(chosen) == 0 {
		return nil, s.noReceiver(here)
	}
	return chosen, nil
}

// wants reports whether --receiver asks for the receiver of this name.
func (s *selection) wants(name string) bool {
	return len(s.receivers) == 0 || slices.ContainsFunc(s.wanted, func(g journal.Glob) bool { return g.MatchText(name) })
}

// awaitReceivers makes opt one of a fleet to which receivers may come while it is followed.
func (s *selection) awaitReceivers(opt *read.Options) { s.awaitIn(s.fleets, opt) }

// awaitIn is awaitReceivers for those in these directories.
func (s *selection) awaitIn(fleets []string, opt *read.Options) {
	if len(fleets) == 0 {
		return
	}
	opt.Journals = opt.Each()
	known := map[string]bool{}
	for _, j := range opt.Journals {
		known[filepath.Clean(j.Dir)] = true
	}
	base := s.cfg.Config.JournalFile
	opt.More = func() (more []read.Journal) {
		for _, fleet := range fleets {
			dirs, _ := receiversIn(fleet, base, known) // What cannot be listed now is looked for again.
			for _, dir := range dirs {
				if known[dir] = true; s.wants(filepath.Base(dir)) {
					more = append(more, read.Journal{Dir: dir, Base: base})
				}
			}
		}
		return more
	}
}

// noReceiver says that none of those that are here was asked for.
func (s *selection) noReceiver(here []string) error {
	slices.Sort(here)
	here = slices.Compact(here)
	hint := quality{plural: "receivers"}.here(here)
	if near := config.Nearest(s.receivers[0], here); near != "" {
		hint += fmt.Sprintf("; did you mean --receiver %s?", visible(near))
	}
	return &usageError{fmt.Errorf("no receiver matches --receiver %s", visible(strings.Join(s.receivers, ","))), hint}
}

// offerReceivers are the names that begin as given.
func (s *selection) offerReceivers(args []string, begun string) (offers []string) {
	s.receivers = nil
	if !s.prepareQuietly(args) {
		return nil
	}
	for _, j := range s.options.Each() {
		if name := receiverOfJournal(j); strings.HasPrefix(name, begun) && isOfferable(name) {
			offers = append(offers, name)
		}
	}
	return offers
}
