package fleet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"hbjournal/sink/forward/stream"
)

// Reported is what is known of one receiver besides its journal here.
type Reported struct {
	Figures   *stream.Figures                // nil: it has said nothing
	Confirmed map[string]stream.Confirmation // by the name of an archiver
}

// maxReported bounds how many receivers are known of, and how many lines a file of what they said may have.
const maxReported = 100_000

// ReadBucket returns what a bucket holds. It makes none: that there is none is an error.
func ReadBucket(ctx context.Context, servers stream.Servers, bucket string) ([]Change, error) {
	b := NewNATSBucket(servers, "", bucket)
	defer b.Close()
	if err := b.client.Dial(ctx); err != nil {
		return nil, err
	}
	var info stream.Info
	if err := b.client.API(ctx, "STREAM.INFO."+b.keyStream(), struct{}{}, &info); err != nil {
		return nil, fmt.Errorf("look at bucket %s: %w", bucket, err)
	}
	changes, _, err := b.Poll(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Key, b.Key) })
	return changes, nil
}

// saved is a key in a file of what a bucket held, one a line.
type saved struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// WriteChanges writes what ReadBucket gave, for ReadChanges.
func WriteChanges(w io.Writer, changes []Change) error {
	encode := json.NewEncoder(w)
	for _, c := range changes {
		if !json.Valid(c.Value) || len(c.Value) > stream.MaxValue {
			continue // It was removed, or is nothing that ReadChanges would take.
		}
		if err := encode.Encode(saved{c.Key, c.Value}); err != nil {
			return err
		}
	}
	return nil
}

// ReadChanges is the inverse of WriteChanges.
func ReadChanges(r io.Reader) (changes []Change, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 4*stream.MaxValue)
	for n := 1; lines.Scan(); n++ {
		var s saved
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil || s.Key == "" {
			return nil, fmt.Errorf("line %d is nothing that a bucket held: want {\"key\":...,\"value\":...}", n)
		}
		if n > 3*maxReported {
			return nil, fmt.Errorf("it has more than %d lines", 3*maxReported)
		}
		changes = append(changes, Change{s.Key, s.Value})
	}
	return changes, lines.Err()
}

// ReportedIn sorts changes by the receiver. Whoever may write to the bucket may have written them: the error is about values
// that are none, and the others are used.
func ReportedIn(changes []Change) (map[string]*Reported, error) {
	all := map[string]*Reported{}
	var faults []error
	of := func(name string) *Reported {
		if all[name] == nil {
			all[name] = &Reported{Confirmed: map[string]stream.Confirmation{}}
		}
		return all[name]
	}
	for _, c := range changes {
		kind, names, err := stream.ParseKey(c.Key)
		if err != nil || c.Value == nil || len(all) > maxReported {
			continue
		}
		switch kind {
		case stream.KindFigures:
			var f stream.Figures
			if err = stream.Decode(c.Value, &f); err == nil && f.Number >= 0 {
				of(names[0]).Figures = &f
			}
		case stream.KindConfirmed:
			var f stream.Confirmation
			if err = stream.Decode(c.Value, &f); err == nil && f.Number >= 0 {
				of(names[1]).Confirmed[names[0]] = f
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("key %s: %w", c.Key, err))
		}
	}
	return all, errors.Join(faults...)
}
