package seal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// errRewritten is what a witness says of a checkpoint that does not extend what it has cosigned.
var errRewritten = errors.New("it has cosigned another history of this journal")

// askWitnesses asks the witnesses of the policy to cosign a checkpoint (C2SP tlog-witness), and keeps it with what they signed if
// they are enough.
func (p *Publisher) askWitnesses(c Checkpoint) {
	cosigned := bytes.Clone(c.Note)
	for _, url := range slices.Sorted(maps.Keys(p.opts.Policy.witnesses)) {
		lines, err := p.askWitness(url, p.opts.Policy.witnesses[url], c)
		if errors.Is(err, errRewritten) {
			p.mu.Lock()
			p.alarm = err
			p.mu.Unlock()
		}
		p.report(url, err)
		cosigned = append(cosigned, lines...)
	}
	if len(cosigned) > maxNote || !p.opts.Policy.group.Satisfied(cosigned) {
		return
	}
	if err := dir(DirOf(p.opts.State)).replace(fileWitnessed, cosigned); err != nil {
		p.report(fileWitnessed, err)
		return
	}
	p.report(fileWitnessed, nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.witnessed = c.Size
}

// askWitness returns the signature lines of one witness.
func (p *Publisher) askWitness(url string, key note.Verifier, c Checkpoint) ([]byte, error) {
	const tries = 2 // The witness may know of a checkpoint that we do not remember: then it says which.
	for try := 1; ; try++ {
		request, err := p.addRequest(p.old[url], c)
		if err != nil {
			return nil, fmt.Errorf("prove to witness %s what follows %d lines: %w", url, p.old[url], err)
		}
		code, body, err := p.send(url, request)
		switch {
		case err != nil:
			return nil, fmt.Errorf("ask witness: %w", err)
		case code == http.StatusOK:
			lines, err := checkCosignature(c, key, body)
			if err != nil {
				return nil, fmt.Errorf("ask witness %s: %w", url, err)
			}
			p.old[url] = c.Size
			return lines, nil
		case code == http.StatusUnprocessableEntity:
			return nil, fmt.Errorf("witness %s: 422: %w", url, errRewritten)
		case code != http.StatusConflict || try == tries:
			return nil, fmt.Errorf("ask witness %s: %d %s: %.200q", url, code, http.StatusText(code), body)
		}
		size, err := strconv.ParseInt(strings.TrimSuffix(string(body), "\n"), 10, 64)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("ask witness %s: 409 without a size: %.100q", url, body)
		}
		if size > c.Size {
			return nil, fmt.Errorf("witness %s has cosigned %d lines, and there are %d: %w", url, size, c.Size, errRewritten)
		}
		p.old[url] = size
	}
}

// addRequest is the body of add-checkpoint.
func (p *Publisher) addRequest(old int64, c Checkpoint) ([]byte, error) {
	b := fmt.Appendf(nil, "old %d\n", old)
	if old > 0 && old < c.Size {
		proof, err := tlog.ProveTree(c.Size, old, dir(DirOf(p.opts.State)).nodesOf(old, c.Size))
		if err != nil {
			return nil, err
		}
		for _, h := range proof {
			b = append(append(b, h.String()...), '\n')
		}
	}
	return append(append(b, '\n'), c.Note...), nil
}

// checkCosignature returns the signature lines of a witness's answer that are its own, and right.
func checkCosignature(c Checkpoint, key note.Verifier, body []byte) ([]byte, error) {
	const most = 16
	var kept []byte
	n := 0
	for line := range bytes.Lines(body) {
		if n++; n > most {
			break
		}
		if !bytes.HasSuffix(line, []byte("\n")) || !bytes.HasPrefix(line, []byte("— ")) {
			continue
		}
		signed, err := note.Open(append(bytes.Clone(c.Note), line...), note.VerifierList(key))
		if err == nil && len(signed.Sigs) == 1 {
			kept = append(kept, line...)
		}
	}
	if kept == nil {
		return nil, errors.New("its answer has no cosignature of its key")
	}
	return kept, nil
}
