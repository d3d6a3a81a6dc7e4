package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/seal"
)

func newVerify(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [FILE|DIR...]",
		Short: "Check every line of every file, and list the gaps",
		Long: "Read the journal and all its backups, or the FILEs, and check that each line is a whole entry, that its two\n" +
			"times agree, that times do not go back by more than a minute from line to line and file to file, and that\n" +
			"names fit their content. Each fault is printed with file, line and offset, and the exit code is 1.\n" +
			"Gaps, where the journal says itself that messages were lost, are listed, but are no fault of the files.\n\n" +
			"With --key the seal is verified too: nothing under its last checkpoint was altered, taken out or put in. Without\n" +
			"a checkpoint from outside (--checkpoint, --policy) the journal is \"not anchored\": whoever has the key could have\n" +
			"sealed it anew.",
		Example: "  hbjournal verify\n  hbjournal verify -o json /backup/messages.journal.*\n" +
			"  hbjournal verify --key site1.vkey --checkpoint /mnt/other/checkpoints\n" +
			"  hbjournal verify --fleet nats://n1.example.com --journal-dir /srv/fleet",
	}
	s := &selection{environ: env}
	var sealed verifySealFlags
	sealed.add(cmd) // Its --strict is meant, and contains that of the settings.
	s.settings = addSettings(cmd, "journal_dir", "journal_file")
	s.addReceiver(cmd)
	var compared verifyFleetFlags
	compared.add(cmd)
	s.addIdentity(cmd)
	output := cmd.Flags().StringP("output", "o", "text", "`form` of the output: text, or json with an object a line")
	completeFixed(cmd, "output", "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *output != "text" && *output != "json" {
			return &usageError{fmt.Errorf("-o %q: no such output", *output), "give -o text or -o json"}
		}
		o, errSeal := sealed.options()
		r, err := s.reading(args, errSeal)
		if err != nil {
			return err
		}
		if o != nil {
			o.Cadence = sealCadence(s.cfg.Config)
		}
		if o != nil && r.options.ReadsStdin() {
			return &usageError{errors.New("--key: the seal lies beside the files, and standard input has none"), "give the FILEs"}
		}
		fleet, err := compared.check(cmd.Context(), r)
		if err != nil {
			return err
		}
		return verify(cmd.Context(), r, o, fleet, *output == "json")
	}
	return cmd
}

// verify checks the journals; their seals, if o is not nil, and what came of a fleet, if that is not nil.
func verify(ctx context.Context, r *reading, o *seal.VerifyOptions, fleet *fleetCheck, asJSON bool) error {
	p := verifyPrinter{w: r.out.w}
	if asJSON {
		p.json = json.NewEncoder(r.out.w)
	}
	var result read.VerifyResult
	var broken int64
	told := false // the result
	encrypted := r.faults
	encrypted.w = io.Discard // They are results here.
	fault := func(f *read.CorruptError) {
		encrypted.report(f)
		if o == nil || !o.StoredOnly || !errors.Is(f, read.ErrEncrypted) {
			p.fault(f)
		}
	}
	check := func(ctx context.Context) (err error) {
		opt := read.VerifyOptions{Options: r.options, Fault: fault, Gap: p.gap, Block: r.bar.show}
		result, err = read.VerifyEach(ctx, opt, p.journal)
		r.entries = result.Entries
		if o != nil && o.StoredOnly {
			result.Faults -= int64(encrypted.encrypted)
			encrypted.encrypted = 0
		}
		if err == nil {
			told = true
			p.result(result, len(r.options.Journals))
		}
		if err == nil && fleet != nil {
			err = fleet.run(ctx, p.comparison)
			p.fleetResult(fleet)
		}
		if err == nil && o != nil {
			broken, err = verifySeals(ctx, *o, r.options, p)
		}
		return err
	}
	return r.run(ctx, check, func(interrupted bool) error {
		if !told {
			p.result(result, len(r.options.Journals))
		}
		r.sayBeside()
		if broken > 0 && !interrupted {
			return &hintedError{
				fmt.Errorf("verify: %s, and %s of the seal", plural(result.Faults, "fault"), plural(broken, "fault")),
				"sink/seal/README.md of hbjournal says what each means",
			}
		}
		if fleet != nil && fleet.faults > 0 && !interrupted {
			return &hintedError{
				fmt.Errorf("verify: %s, and %s of the fleet", plural(result.Faults, "fault"), plural(fleet.faults, "fault")),
				"sink/journal/README.md of hbjournal says what each means",
			}
		}
		if result.Faults == 0 || interrupted {
			return nil
		}
		return foundFaults(result, encrypted)
	})
}

// foundFaults is the error about a journal that has some.
func foundFaults(result read.VerifyResult, encrypted faults) error {
	hint := "the other entries are sound; 'hbjournal query' prints them"
	if n := encrypted.encrypted; n > 0 {
		hint = fmt.Sprintf("%s cannot be checked: %s", plural(int64(n), "encrypted file"), identityHint(encrypted.identity))
	}
	return &hintedError{fmt.Errorf("verify: %s", plural(result.Faults, "fault")), hint}
}

// sayBeside warns of the files that were not read though they look like the journal's own. They are no faults of it.
func (r *reading) sayBeside() {
	for _, j := range r.options.Each() {
		paths, err := read.Beside(j)
		if err != nil {
			continue // Who reads the journal has reported that.
		}
		for _, path := range paths {
			fmt.Fprintf(r.env.Stderr, "hbjournal: warning: %s was not read, since neither the journal nor logrotate gives such a name: name it to read it\n",
				visible(path))
		}
	}
}

// verifyPrinter prints what Verify finds. Errors of writing are kept by w until it is flushed.
type verifyPrinter struct {
	w    io.Writer
	json *json.Encoder // nil for text
}

func (p verifyPrinter) fault(f *read.CorruptError) {
	if p.json == nil {
		fmt.Fprintf(p.w, "fault  %s\n", visible(f.Error()))
		return
	}
	_ = p.json.Encode(map[string]any{"fault": map[string]any{
		"path": f.Path, "line": f.Line, "offset": f.Offset, "error": f.Err.Error(),
	}})
}

func (p verifyPrinter) gap(g read.GapAt) {
	if p.json == nil {
		from := ""
		if g.First != 0 { // Else it is not known since when.
			from = "from " + utc(g.First) + " "
		}
		fmt.Fprintf(p.w, "gap    %s:%d: %s lost (%s) %sto %s\n",
			g.Path, g.Line, plural(g.Lost, "message"), visible(g.Reason), from, utc(g.Last))
		return
	}
	_ = p.json.Encode(map[string]any{"gap": g})
}

// journal prints what one of several journals was found to hold.
func (p verifyPrinter) journal(j read.Journal, r read.VerifyResult) {
	if p.json != nil {
		_ = p.json.Encode(map[string]any{"journal": struct {
			Path string `json:"path"`
			read.VerifyResult
		}{j.String(), r}})
		return
	}
	fmt.Fprintf(p.w, "%s: %s\n", visible(j.String()), verifyText(r, ""))
}

// result prints what all was found to hold; journals is how many they are, 0 if there is but one.
func (p verifyPrinter) result(r read.VerifyResult, journals int) {
	if p.json != nil {
		_ = p.json.Encode(map[string]any{"result": r})
		return
	}
	of := ""
	if journals > 0 {
		of = " of " + plural(int64(journals), "journal")
	}
	fmt.Fprintln(p.w, verifyText(r, of))
}

// verifyText is a result in one line; of says whose files they are.
func verifyText(r read.VerifyResult, of string) string {
	between, lost := "", ""
	if r.Entries > 0 {
		between = fmt.Sprintf(" from %s to %s", utc(r.First), utc(r.Last))
	}
	if r.Lost > 0 {
		lost = fmt.Sprintf(" with %s lost", plural(r.Lost, "message"))
	}
	return fmt.Sprintf("%s in %s%s, %d bytes%s: %s, %s%s", plural(r.Entries, "entry"), plural(int64(r.Files), "file"), of, r.Bytes,
		between, plural(r.Faults, "fault"), plural(r.Gaps, "gap"), lost)
}

func utc(at journal.Instant) string { return at.Time().Format("2006-01-02T15:04:05.000Z") }

// plural is a count with its noun.
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
