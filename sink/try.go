package sink

import "hbjournal/sink/rotate"

// Try does what Open and a rotation do with the files, and undoes it; see rotate.Try.
func Try(o Options) error { return o.try(rotate.Try) }

// Probe is Try beside a process that writes the journal; see rotate.Probe.
func Probe(o Options) error { return o.try(rotate.Probe) }

func (o Options) try(try func(rotate.Options) error) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	return try(o.Files(nil))
}
