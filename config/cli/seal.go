package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"hbjournal/config"
	"hbjournal/ingest/fleet"
	"hbjournal/sink"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

func newSeal(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "seal",
		Short: "Make keys that seal the journal, begin a seal, or repair one",
		Long: "A daemon with journal_sign_key seals what it writes: 'hbjournal verify --key VKEY' then finds whatever was changed, taken out or " +
			"put in since. These commands make the key, begin a seal on a journal that is there already, and restore what helps it.",
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newSealKeygen(env), newSealInit(env), newSealRebuild(env))
	return cmd
}

func newSealKeygen(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keygen NAME",
		Short: "Make a key: the secret half goes into a file, the public half is printed",
		Long: "Make a key whose NAME is that of the journal for whoever verifies it, such as example.com/hb/site1. The secret key goes into a " +
			"new file that only its owner can read, for journal_sign_key. The public key, the VKEY that 'hbjournal verify --key' takes, is printed.",
		Example: "  hbjournal seal keygen example.com/site1 --out sign.key > site1.vkey",
		Args:    cobra.ExactArgs(1),
	}
	out := cmd.Flags().String("out", "sign.key", "`file` for the secret key, which must not exist")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		secret, vkey, err := seal.GenerateKey(args[0])
		if err != nil {
			return &usageError{err, "for example: hbjournal seal keygen example.com/hb/site1"}
		}
		if err := writeNew(*out, secret+"\n"); err != nil {
			return &hintedError{fmt.Errorf("keep the secret key: %w", err), "give another file with --out; a key that is there is never overwritten"}
		}
		fmt.Fprintf(env.Stderr, "hbjournal: the secret key is in %s; keep a copy of the line below elsewhere, it verifies the journal\n", *out)
		_, err = fmt.Fprintln(env.Stdout, vkey)
		return err
	}
	return cmd
}

// writeNew makes a file that only its owner can read.
func writeNew(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func newSealInit(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Begin a seal at the present end of a journal that is not empty",
		Long: "Begin a seal at the present end of the journal, with the key in journal_sign_key, whose name must not have been used here before. " +
			"The daemon begins one by itself only where there is no line yet: if there are lines and no checkpoint, the seal's state may have " +
			"been taken away, and that is for you to say. Stop the daemon first.",
		Args: cobra.NoArgs,
	}
	settings := addSettings(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return repairSeal(cmd.Context(), settings, env, seal.Begin, nil)
	}
	return cmd
}

func newSealRebuild(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the seal's lost or damaged state anew from the journal",
		Long: "Compute the tree over the whole journal, compare it with the last checkpoint, and make anew what lies beside it and can be made " +
			"from the journal. The daemon does this by itself as far as it needs to. Nothing is changed if the journal does not come to its " +
			"checkpoint. Stop the daemon first.",
		Args: cobra.NoArgs,
	}
	s := &selection{environ: env}
	s.addIdentity(cmd)
	settings := addSettings(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		decrypter, err := s.decrypter(nil)
		if err != nil {
			return err
		}
		return repairSeal(cmd.Context(), settings, env, seal.Rebuild, decrypter)
	}
	return cmd
}

// repairSeal opens the journal as the daemon does, to do one thing with its seal, and closes it again.
func repairSeal(ctx context.Context, settings *settings, env Env, purpose seal.Purpose, decrypter read.Decrypter) error {
	loaded, err := settings.load(env)
	if err != nil {
		return err
	}
	cfg := loaded.Config
	if cfg.JournalSignKey == "" {
		return &usageError{errors.New("journal_sign_key is not set"), "make a key with 'hbjournal seal keygen NAME'"}
	}
	o, _, err := sealOptions(cfg, zerolog.Nop())
	if err != nil {
		return err
	}
	if purpose == seal.Begin {
		if err := checkFresh(ctx, cfg, o); err != nil {
			return err
		}
	}
	options, err := sinkOptions(cfg, netip.AddrPort{}, zerolog.Nop())
	if err != nil {
		return encryptHint(err)
	}
	o.Purpose, o.Decrypter = purpose, decrypter
	sealer, err := seal.New(*o)
	if err != nil {
		return err
	}
	options.Sealer, options.Compress, options.Encrypter = sealer, "", nil // Packing is left to the daemon.
	options.MaxBackups, options.MaxAge, options.MaxTotalBytes, options.MinFreeBytes = 0, 0, 0, 0
	journal, err := sink.Open(options)
	if err != nil {
		return journalHint(err, cfg)
	}
	err = sealer.Settled(ctx)
	if err = errors.Join(err, journal.Close()); err != nil {
		return fmt.Errorf("seal journal: %w", err)
	}
	f := sealer.Figures()
	if f.Error != "" {
		return errors.New(f.Error)
	}
	_, err = fmt.Fprintf(env.Stdout, "sealed by %s: %s\n", f.Origin, plural(f.Sealed, "line"))
	return err
}

// checkFresh refuses to begin a seal with a key whose name was used in this journal before: the same lines would be signed twice.
func checkFresh(ctx context.Context, cfg config.Config, o *seal.Options) error {
	used, err := seal.Used(ctx, read.Options{Dir: cfg.JournalDir, Base: cfg.JournalFile}, seal.DirOf(o.State), o.Key.Name())
	if err != nil {
		return err
	}
	if used != "" {
		return &hintedError{
			fmt.Errorf("the name %s was used in this journal before: %s", o.Key.Name(), used),
			"make a key of another name with 'hbjournal seal keygen NAME'",
		}
	}
	return nil
}

// verifySealFlags are those of `verify` that are about the seal.
type verifySealFlags struct {
	key         string
	checkpoints []string
	policy      string
	fromSeal    bool
	strict      bool
	storedOnly  bool
}

func (f *verifySealFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.key, "key", "", "also verify the seal, by this `VKEY` or the one in this file")
	flags.StringArrayVar(&f.checkpoints, "checkpoint", nil, "`file` of checkpoints from outside, which the journal must extend; may be repeated")
	flags.StringVar(&f.policy, "policy", "", "`file` of the witnesses (C2SP tlog-policy) that must have cosigned")
	flags.BoolVar(&f.fromSeal, "from-seal", false, "lines that are older than the seal are no fault")
	flags.BoolVar(&f.storedOnly, "stored-only", false, "that of encrypted files only the stored bytes could be checked is no fault")
	flags.BoolVar(&f.strict, "strict", false, "lines that were taken over after a crash are a fault")
}

// options are what the flags come to; nil: the seal is not looked at.
func (f *verifySealFlags) options() (*seal.VerifyOptions, error) {
	if f.key == "" {
		if len(f.checkpoints) > 0 || f.policy != "" || f.fromSeal || f.strict || f.storedOnly {
			return nil, &usageError{errors.New("--checkpoint, --policy, --from-seal, --stored-only and --strict need --key"), "give --key VKEY"}
		}
		return nil, nil
	}
	key, err := seal.ReadVerifier(f.key)
	if err != nil {
		return nil, &usageError{fmt.Errorf("--key: %w", err), "give what 'hbjournal seal keygen' has printed, or a file that holds it"}
	}
	o := &seal.VerifyOptions{Key: key, FromSeal: f.fromSeal, Strict: f.strict, StoredOnly: f.storedOnly, Now: time.Now}
	for _, path := range f.checkpoints {
		found, err := seal.ReadCheckpoints(path, key)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--checkpoint: %w", err), "give a file that holds one or more signed checkpoints"}
		}
		o.Checkpoints = append(o.Checkpoints, found...)
	}
	if f.policy != "" {
		if o.Policy, err = seal.ReadPolicy(f.policy); err != nil {
			return nil, &usageError{fmt.Errorf("--policy: %w", err), policyHint}
		}
	}
	return o, nil
}

// sealOf sets the options to one journal.
func sealOf(o seal.VerifyOptions, opt read.Options, j read.Journal) seal.VerifyOptions {
	o.Options = opt
	o.Options.Dir, o.Options.Base, o.Options.Paths, o.Options.Journals = j.Dir, j.Base, j.Paths, nil
	dir, base := j.Place()
	state := rotate.StateDir(dir, base)
	o.Dir = seal.DirOf(state)
	if !seal.HasCheckpoint(o.Dir) {
		o.Shipped = fleet.ShippedIn(state)
	}
	return o
}

// verifySeals verifies the seal of each journal, and returns how many faults there are.
func verifySeals(ctx context.Context, o seal.VerifyOptions, opt read.Options, p verifyPrinter) (faults int64, err error) {
	for _, j := range opt.Each() {
		v, err := seal.Verify(ctx, sealOf(o, opt, j))
		if err != nil {
			return faults, err
		}
		p.seal(j, v)
		faults += int64(len(v.Faults))
	}
	return faults, nil
}

// seal prints a verdict.
func (p verifyPrinter) seal(j read.Journal, v seal.Verdict) {
	if p.json != nil {
		_ = p.json.Encode(map[string]any{"seal": struct {
			Path string `json:"path"`
			seal.Verdict
		}{j.String(), v}})
		return
	}
	for _, f := range v.Faults {
		fmt.Fprintf(p.w, "fault  %s\n", visible(f.String()))
	}
	for _, f := range v.Notes {
		fmt.Fprintf(p.w, "note   %s\n", visible(f.String()))
	}
	tail := ""
	if v.Tail > 0 {
		tail = fmt.Sprintf("; %s not yet sealed", plural(v.Tail, "line"))
	}
	word := "sealed"
	if len(v.Faults) > 0 {
		word = "NOT as sealed"
	}
	fmt.Fprintf(p.w, "%s: %s to checkpoint %d%s; %s\n", word, plural(v.Sealed, "line"), v.Sealed, tail, visible(v.Anchored))
}

// newFile is the path of a proof.
func newFile(dir string, n int, index int64) string {
	return filepath.Join(dir, fmt.Sprintf("%04d-%d.tlog-proof", n, index))
}
