package seal

// The steps of sealing, in their order: a process may be killed after each.
const (
	stepWritten   = "written"   // lines are in the file
	stepHashed    = "hashed"    // lines are in the tree
	stepSynced    = "synced"    // what is in the tree is durable
	stepSigned    = "signed"    // there is a checkpoint in memory
	stepReplaced  = "replaced"  // it has its name on the disk, which a power cut may take back
	stepDurable   = "durable"   // it is there for good
	stepKept      = "kept"      // it is among the older ones
	stepPublished = "published" // somebody was told
	stepTurned    = "turned"    // another live file was begun
	stepEnded     = "ended"     // the record of a file that was rotated away is whole
	stepPruning   = "pruning"   // the reserve says what is about to be removed
	stepPruned    = "pruned"    // the ledger does too
	stepPacked    = "packed"    // the ledger says what a packed backup is
	stepNoted     = "noted"     // a note of the seal is on its way into the journal
	stepFound     = "found"     // a start knows what becomes of the state
	stepTakenOver = "taken"     // what the last process left is in the tree
	stepAside     = "aside"     // what is left of a broken tree lies in its own directory
	stepBegun     = "begun"     // the first checkpoint of a tree is durable
)

// at is called after each step.
func (s *Sealer) at(step string) {
	if s.step != nil {
		s.step(step)
	}
}
