package sink

import "hbjournal/sink/rotate"

// Try does what Open and a rotation do with the files, and undoes it; see rotate.Try.
func Try(o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	return rotate.Try(o.rotate(nil))
}
