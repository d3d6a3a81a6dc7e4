package rotate

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimDir) != "" {
		fmt.Fprintln(os.Stderr, runVictim())
		os.Exit(1)
	}
	// The benchmarks run lumberjack, which leaves this one behind.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}
