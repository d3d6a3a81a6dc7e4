package rotate

// The steps of packing a backup, in their order: a process may be killed after each.
const (
	stepBegun   = "begun"   // nothing is written yet
	stepWritten = "written" // the copy is whole, aside
	stepSynced  = "synced"  // it is on the disk
	stepTold    = "told"    // it was compared, and the Sealer knows of it
	stepNamed   = "named"   // it has its name, and the other file is still there
	stepSure    = "sure"    // its name is on the disk
	stepRemoved = "removed" // the other file is gone
)

// at is called after each step.
func (f *File) at(step string) {
	if f.step != nil {
		f.step(step)
	}
}
