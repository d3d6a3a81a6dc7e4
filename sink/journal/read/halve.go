package read

// lastBefore returns the index of a file before which nothing is as new as since, 0 if there is none but the first. It
// halves the n files by the times of their first lines, which may go back by maxStepBack; files that cannot be opened, or
// do not tell, are passed over.
func lastBefore(n int, since int64, open func(i int) (*file, error)) (int, error) {
	found := 0
	for low, high := 0, n; low < high; {
		middle := low + (high-low)/2
		i, first, err := timedFingerprint(low, middle, open)
		switch {
		case err != nil:
			return 0, err
		case !first.timed:
			low = middle + 1 // None of them tells: the later ones may.
		case first.millis < since-maxStepBack.Milliseconds():
			found, low = i, middle+1
		default:
			high = i
		}
	}
	return found, nil
}

// timedFingerprint returns the last of the files low to high whose first line tells its time, and that fingerprint. If none
// does, the fingerprint is zero.
func timedFingerprint(low, high int, open func(i int) (*file, error)) (i int, first fingerprint, err error) {
	for i = high; i >= low; i-- {
		f, err := open(i)
		if err != nil {
			continue // It was moved, or cannot be read: who reads it reports that.
		}
		if first = f.fingerprint; first.timed {
			return i, first, f.close()
		}
		if err := f.close(); err != nil {
			return 0, fingerprint{}, err
		}
	}
	return 0, fingerprint{}, nil
}
