package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"hbjournal/sink/seal"
)

const proveLong = "Read lines of a sealed journal from standard input, and print a proof that each is in it: the C2SP tlog-proof, which any " +
	"tool for such logs checks. One line gives its proof on standard output; for several, --out names a directory that gets a file for each. " +
	"Of lines that are equal, the first is proved.\n\n" +
	"With --check, read one line from standard input, and check the proof in the file. That needs the key and no journal.\n\n" +
	"A proof shows the hashes of some neighbouring lines. They are not salted: who can guess such a line can confirm it."

const proveExample = `  hbjournal query --name web1 -n 1 > line
  hbjournal prove --key site1.vkey < line > line.tlog-proof
  hbjournal prove --check line.tlog-proof --key site1.vkey < line
  hbjournal query --since 1h | hbjournal prove --key site1.vkey --out proofs`

// maxProved bounds how many lines are proved at once.
const maxProved = 100_000

func newProve(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "prove [FILE|DIR...]",
		Short:   "Prove that lines are in a sealed journal, or check such a proof",
		Long:    proveLong,
		Example: proveExample,
	}
	flags := cmd.Flags()
	key := flags.String("key", "", "`VKEY` of the seal, or a file that holds it; needed to check")
	out := flags.String("out", "", "`directory` for the proofs of several lines, made if missing")
	check := flags.String("check", "", "check the proof in this `file`")
	s := &selection{environ: env}
	s.addIdentity(cmd)
	s.settings = addSettings(cmd, "journal_dir", "journal_file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var verifier *seal.Verifier
		if *key != "" || *check != "" {
			var err error
			if verifier, err = seal.ReadVerifier(*key); err != nil {
				return &usageError{fmt.Errorf("--key: %w", err), "give what 'hbjournal seal keygen' has printed, or a file that holds it"}
			}
		}
		lines, err := readWanted(env.Stdin)
		if err != nil {
			return err
		}
		if *check != "" {
			return checkProof(env, *check, lines, verifier)
		}
		if err := s.prepare(args); err != nil {
			return err
		}
		return prove(cmd.Context(), s, env, seal.VerifyOptions{Key: verifier}, lines, *out)
	}
	return cmd
}

// readWanted reads the lines of standard input.
func readWanted(from io.Reader) ([][]byte, error) {
	const longest = 64 << 20
	scanner := bufio.NewScanner(from)
	scanner.Buffer(make([]byte, 64<<10), longest)
	scanner.Split(scanLines)
	var lines [][]byte
	for scanner.Scan() {
		if len(lines) == maxProved {
			return nil, &usageError{fmt.Errorf("more than %d lines on standard input", maxProved), "prove them in parts"}
		}
		lines = append(lines, bytes.Clone(scanner.Bytes()))
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read lines from standard input: %w", err)
	}
	if len(lines) == 0 {
		return nil, &usageError{errors.New("no line on standard input"), "for example: hbjournal query -n 1 | hbjournal prove"}
	}
	return lines, nil
}

// scanLines is bufio.ScanLines that leaves carriage returns where they are: they are a part of the line that is hashed.
func scanLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

func checkProof(env Env, path string, lines [][]byte, key *seal.Verifier) error {
	if len(lines) != 1 {
		return &usageError{fmt.Errorf("%d lines on standard input", len(lines)), "a proof is of one line: give that one"}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read proof: %w", err)
	}
	c, index, err := seal.CheckProof(text, lines[0], key)
	if err != nil {
		return fmt.Errorf("check %s: %w", path, err)
	}
	_, err = fmt.Fprintf(env.Stdout, "proved: line %d of %d, sealed by %s\n", index, c.Size, c.Origin)
	return err
}

func prove(ctx context.Context, s *selection, env Env, o seal.VerifyOptions, lines [][]byte, out string) error {
	if len(lines) > 1 && out == "" {
		return &usageError{fmt.Errorf("%d lines on standard input", len(lines)), "give --out DIR for the proofs of several"}
	}
	journals := s.options.Each()
	if len(journals) != 1 || s.options.ReadsStdin() {
		return &usageError{errors.New("the lines of one journal can be proved at once"), "give the FILEs or the directory of one"}
	}
	proofs, err := seal.Prove(ctx, sealOf(o, s.options, journals[0]), lines)
	if err != nil {
		return &hintedError{fmt.Errorf("prove: %w", err), "the daemon seals a journal if journal_sign_key is set"}
	}
	if out != "" {
		if err := os.MkdirAll(out, 0o750); err != nil {
			return err
		}
	}
	missing := 0
	for i, p := range proofs {
		if p.Text == nil {
			missing++
			fmt.Fprintf(env.Stderr, "hbjournal: line %d of standard input is not under the last checkpoint: %.120s\n", i+1, visible(string(p.Line)))
			continue
		}
		if p.Same > 0 {
			fmt.Fprintf(env.Stderr, "hbjournal: line %d stands there %d times; this is the proof of the first\n", i+1, p.Same+1)
		}
		if err := putProof(env, out, i+1, p); err != nil {
			return err
		}
	}
	if missing > 0 {
		return &hintedError{
			fmt.Errorf("prove: %d of %d lines are not proved", missing, len(lines)),
			"a line is proved as it stands in the journal, as query prints it without -o; the last second is not sealed yet",
		}
	}
	return nil
}

func putProof(env Env, out string, n int, p seal.Proof) error {
	if out == "" {
		_, err := env.Stdout.Write(p.Text)
		return err
	}
	file, err := os.OpenFile(newFile(out, n, p.Index), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err == nil {
		_, err = file.Write(p.Text)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("write proof: %w", err)
	}
	return nil
}
