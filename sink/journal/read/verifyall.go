package read

import (
	"context"
	"errors"
)

// VerifyEach verifies each of the journals in opt on its own, tells what was found in it to done, and returns what they
// come to together. A journal that cannot be read at all is a fault of it, if there are others.
func VerifyEach(ctx context.Context, opt VerifyOptions, done func(Journal, VerifyResult)) (VerifyResult, error) {
	if len(opt.Journals) == 0 {
		return Verify(ctx, opt)
	}
	var sum VerifyResult
	for _, j := range opt.Journals {
		one := opt
		one.Options = opt.of(j)
		result, err := Verify(ctx, one)
		if ctx.Err() == nil && err != nil {
			result.Faults++
			opt.Fault(faultOf(j, err))
			err = nil
		}
		sum.add(result)
		if err != nil {
			return sum, err
		}
		done(j, result)
	}
	return sum, nil
}

// faultOf is err, which ended the reading of j, as a fault of it.
func faultOf(j Journal, err error) *CorruptError {
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		return corrupt
	}
	return &CorruptError{Path: j.String(), Err: err}
}

// add adds what another journal was found to hold.
func (r *VerifyResult) add(other VerifyResult) {
	if other.Entries > 0 && (r.Entries == 0 || other.First < r.First) {
		r.First = other.First
	}
	r.Last = max(r.Last, other.Last)
	r.Files += other.Files
	r.Entries += other.Entries
	r.Bytes += other.Bytes
	r.Faults += other.Faults
	r.Gaps += other.Gaps
	r.Lost += other.Lost
}
