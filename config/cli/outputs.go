package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"hbjournal/config"
	"hbjournal/sink/forward"
	receivers "hbjournal/sink/forward/output"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// shipment is one output of those that were given: its URL taken apart, and all that its options come to.
type shipment struct {
	*receivers.Target
	name   string // of its state
	filter *journal.Filter
	start  forward.Start
}

// parseOutputs takes the URLs apart. The error is about all that is wrong with any of them.
func parseOutputs(urls []string, now time.Time) ([]shipment, error) {
	var all []shipment
	var errs []error
	for _, raw := range urls {
		s, err := parseOutput(raw, now)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if i := slices.IndexFunc(all, func(other shipment) bool { return other.name == s.name }); i >= 0 {
			errs = append(errs, fmt.Errorf("%s and %s are both called %s: give one of them name=", all[i].Address(), s.Address(), s.name))
		}
		all = append(all, s)
	}
	return all, errors.Join(errs...)
}

func checkOutputs(urls []string) error {
	_, err := parseOutputs(urls, time.Now())
	return err
}

func parseOutput(raw string, now time.Time) (shipment, error) {
	target, err := receivers.Parse(raw)
	if err != nil {
		return shipment{}, err
	}
	s := shipment{Target: target, name: target.Name}
	var errs []error
	if s.name == "" {
		s.name = outputName(target.Address())
	} else if !isOutputName.MatchString(s.name) {
		errs = append(errs, errors.New("name must be 1 to 64 letters, digits, . _ and -, and begin with a letter or digit"))
	}
	if strings.HasSuffix(s.name, forward.BackfillEnding) {
		errs = append(errs, fmt.Errorf("its name would be %s, and names that end in %s hold no backups: give another one with name=", s.name, forward.BackfillEnding))
	}
	if s.filter, err = outputFilter(target.Filter); err != nil {
		errs = append(errs, err)
	}
	if s.start, err = outputStart(target.From, now); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return s, fmt.Errorf("output %s: %w", target.Address(), errors.Join(errs...))
	}
	return s, nil
}

var isOutputName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)

// outputName makes the name of an output's state of its address, so that its options may change. Where another address could make
// the same name, or the file system might take it for the same, part of a hash tells them apart.
func outputName(address string) string {
	const most = 64
	name := strings.Trim(notOfNames.ReplaceAllString(address, "-"), "-")
	if len(name) > most || !plainAddress.MatchString(address) {
		sum := sha256.Sum256([]byte(address))
		name = name[:min(len(name), most-9)] + "-" + hex.EncodeToString(sum[:4])
	}
	return name
}

var (
	notOfNames = regexp.MustCompile(`[^a-zA-Z0-9._]+`)

	// plainAddress matches addresses that their names tell: the host is no number, the port always there, and no part holds what a
	// name has a dash for.
	plainAddress = regexp.MustCompile(`^[a-z]+(\+[a-z]+)?:(//[a-z0-9.]*[a-z.][a-z0-9.]*:[0-9]+(/|(/[a-z0-9._]+)*)|//(/[a-z0-9._]+)+)?$`)
)

// outputFilter reads filter=, which is what --match is.
func outputFilter(conditions []string) (*journal.Filter, error) {
	if len(conditions) == 0 {
		return nil, nil
	}
	fields, err := (&selection{matches: conditions}).fields()
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "--match", "filter"))
	}
	return journal.NewFilter(journal.FilterOptions{Fields: fields})
}

// outputStart reads from=.
func outputStart(text string, now time.Time) (forward.Start, error) {
	switch text {
	case "oldest":
		return forward.Start{}, nil
	case "now":
		return forward.Start{Now: true}, nil
	}
	if at, err := read.ParseCursor(text); err == nil {
		return forward.Start{Cursor: at}, nil
	}
	since, err := parseTime(text, now)
	if err != nil {
		return forward.Start{}, fmt.Errorf("from must be oldest, now, a cursor or a time: %s", timeForms)
	}
	return forward.Start{Since: since}, nil
}

// receiverName is what this journal is called at its receivers, and what speaks against that name.
func receiverName(cfg config.Config) (name, doubt string) {
	if cfg.ReceiverName != "" {
		return cfg.ReceiverName, ""
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	name = strings.Trim(notOfReceivers.ReplaceAllString(strings.ToLower(host), "-"), "-")
	name = name[:min(len(name), 63)]
	switch {
	case name == "":
		return "hbjournal", "the host has no name"
	case randomName.MatchString(name):
		return name, fmt.Sprintf("the host name %s looks like the one that a container gets anew at each start", name)
	}
	return name, ""
}

var (
	notOfReceivers = regexp.MustCompile(`[^a-z0-9_-]+`)
	randomName     = regexp.MustCompile(`^[0-9a-f]{12}$`)
)

// openSecrets are warnings of files with secrets that everybody may read.
func openSecrets(t *receivers.Target) (warnings []string) {
	for _, path := range t.Secrets {
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&0o004 != 0 {
			warnings = append(warnings, fmt.Sprintf("%s: everybody may read %s (mode %04o): chmod o= %s", t.Address(), path, info.Mode().Perm(), path))
		}
	}
	return warnings
}
