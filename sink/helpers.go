package sink

// tidy is the tidier goroutine.
func (j *Journal) tidy() {
	for {
		select {
		case <-j.rotated:
			j.file.Tidy()
		case <-j.closing:
			return
		}
	}
}

// pack is the packer goroutine. A compression that Close interrupts is begun anew by the next Open.
func (j *Journal) pack() {
	for {
		select {
		case <-j.packable:
			j.file.Compress(j.closing)
		case <-j.closing:
			return
		}
	}
}

// wakeHelpers is called at the start, once a minute, and after rotations. Then the file is locked, so it does not wait.
func (j *Journal) wakeHelpers() {
	for _, wake := range []chan struct{}{j.rotated, j.packable} {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}
