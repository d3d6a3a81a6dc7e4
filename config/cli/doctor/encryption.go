package doctor

import (
	"fmt"
	"strings"
)

// Encryption is how backups are encrypted, and what was seen of that.
type Encryption struct {
	On         bool
	Recipients int      // different ones
	Err        error    // why nothing can be encrypted to them
	Secrets    []string // files beside the journal that hold secret keys
}

// encryption says whether backups can be encrypted, and whether their keys are kept apart from them.
func (e *examination) encryption() Row {
	var c Encryption
	if e.Journal.Encryption != nil {
		c = e.Journal.Encryption()
	}
	switch {
	case len(c.Secrets) > 0:
		return Row{
			Status: Warn, Measured: fmt.Sprintf("secret keys lie beside the journal: %s", strings.Join(c.Secrets, ", ")),
			Limit: "who takes the backups must not get the key with them",
			Cure:  fmt.Sprintf("shred -u %s # once it is on another machine", Quoted(c.Secrets[0])),
		}
	case !c.On:
		return skip("journal_encrypt_to is not set")
	case c.Err != nil:
		return Row{Status: Fail, Measured: fmt.Sprintf("uid %d: %s", e.UID, c.Err), Cure: "hbjournal config --check"}
	case c.Recipients == 1:
		return Row{
			Status: Note, Measured: "something was encrypted to 1 recipient: if its key is lost, so are all encrypted backups",
			Limit: "two, whose keys are kept apart", Cure: "age-keygen -o escrow.key # on another machine; add what it prints to journal_encrypt_to",
		}
	}
	return Row{Status: OK, Measured: fmt.Sprintf("something was encrypted to all %d recipients", c.Recipients)}
}
