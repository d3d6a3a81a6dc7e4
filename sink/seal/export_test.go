package seal

// Steps are all that there are.
var Steps = []string{
	stepWritten, stepHashed, stepSynced, stepSigned, stepReplaced, stepDurable, stepKept, stepPublished, stepTurned, stepEnded,
	stepPacked, stepPruning, stepPruned, stepNoted, stepFound, stepTakenOver,
}

// StepsOfABreak are those of a start that cannot go on with the tree.
var StepsOfABreak = []string{stepAside, stepBegun, stepNoted}

// AtStep has f called after each step; it comes before Start.
func (s *Sealer) AtStep(f func(step string)) { s.step = f }
