package seal

// Publisher takes checkpoints to where the machine's owner cannot take them back. None of it holds up the sealing.
type Publisher struct{}

func (p *Publisher) tell(Checkpoint) {}

func (p *Publisher) finish(<-chan struct{}) {}
