package doctor

import (
	"fmt"
	"strings"
)

// Output is one that the journal is forwarded to.
type Output struct {
	Address string
	Check   func() error // whether it can be reached and takes the login; nil: that cannot be found out
}

func outputChecks() []check { return []check{{"receivers", "outputs", (*examination).outputs}} }

// outputs looks at all of forward_to, side by side.
func (e *examination) outputs() Row {
	if len(e.Outputs) == 0 {
		return skip("nothing is forwarded: forward_to is empty")
	}
	found := make([]chan error, len(e.Outputs))
	for i, o := range e.Outputs {
		found[i] = make(chan error, 1)
		go func() { // It ends when Check does, which bounds itself.
			if o.Check == nil {
				found[i] <- nil
				return
			}
			found[i] <- o.Check()
		}()
	}
	var wrong []string
	for i, o := range e.Outputs {
		if err := <-found[i]; err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", o.Address, err))
		}
	}
	if len(wrong) == 0 {
		return Row{Status: OK, Measured: fmt.Sprintf("outputs that can be reached: %d", len(e.Outputs)), Limit: "all"}
	}
	return Row{
		Status: Warn, Measured: strings.Join(wrong, "; "), Limit: "can be reached, and take the login",
		Cure: "hbjournal forward --status # since when, and how much waits",
	}
}
