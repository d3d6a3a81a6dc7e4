package fleet

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestKillsInTurn kills a server, a receiver and an archiver in turn while both receivers are sent thousands of datagrams a second.
// FLEET_SEEDS, FLEET_KILLS and FLEET_RATE say how often.
func TestKillsInTurn(t *testing.T) {
	for seed := range fromEnv(t, "FLEET_SEEDS", 1) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { killInTurn(t, uint64(seed)) })
	}
}

func killInTurn(t *testing.T, seed uint64) {
	kills, rate := fromEnv(t, "FLEET_KILLS", 3), fromEnv(t, "FLEET_RATE", 5000)
	random := rand.New(rand.NewPCG(seed, 17))
	f := newFleet(t, plan{})
	stop := f.send(t, rate)
	for i := range kills {
		goOn(t, time.Second+time.Duration(random.Int64N(int64(2*time.Second))))
		victim := f.victim(random, i)
		victim.kill()
		down := 100*time.Millisecond + time.Duration(random.Int64N(int64(3*time.Second)))
		t.Logf("kill %d: %s, down for %v", i, victim.name, down)
		goOn(t, down)
		victim.start(t)
	}
	goOn(t, time.Second)
	stop()
	f.wantSame(t)
	f.wantLines(t, kills*rate)
}

// victim is the one to be killed next: a server, a receiver and an archiver in turn.
func (f *fleet) victim(random *rand.Rand, turn int) *process {
	switch turn % 3 {
	case 0:
		return f.cluster.servers[random.IntN(len(f.cluster.servers))].process
	case 1:
		return f.receivers[random.IntN(len(f.receivers))].process
	default:
		return f.archivers[random.IntN(len(f.archivers))].process
	}
}
