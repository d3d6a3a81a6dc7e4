package sink

import "time"

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

// lookAgain is after how long the packer looks again at what may not be encrypted yet.
const lookAgain = 5 * time.Second

// pack is the packer goroutine. A packing that Close interrupts is begun anew by the next Open.
func (j *Journal) pack() {
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-j.packable:
			j.file.Compress(j.closing)
		case <-again.C:
			if j.file.Stats().Unencrypted > 0 {
				j.file.Compress(j.closing)
			}
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
