package fleet

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestServerIsCutOffAndComesBack cuts the leader of the stream off from the others, which choose another one, and lets it back
// with what it believes.
func TestServerIsCutOffAndComesBack(t *testing.T) {
	f := newFleet(t, plan{})
	stop := f.send(t, 2000)
	for range fromEnv(t, "FLEET_CUTS", 1) {
		goOn(t, 2*time.Second)
		leader := f.cluster.leader(t)
		heal := f.cluster.cutOff(leader)
		t.Logf("nats%d is cut off", leader)
		goOn(t, 8*time.Second)
		heal()
		goOn(t, 2*time.Second)
	}
	stop()
	f.wantSame(t)
	f.wantLines(t, 20_000)
}

// leader is the server that leads the stream.
func (c *cluster) leader(t testing.TB) (index int) {
	t.Helper()
	eventually(t, time.Minute, "the stream has a leader", func() error {
		info, err := c.tryAPI(t, "STREAM.INFO."+streamName, nil)
		if err != nil {
			return err
		}
		name, _ := info["cluster"].(map[string]any)["leader"].(string)
		index, err = strconv.Atoi(strings.TrimPrefix(name, "nats"))
		return err
	})
	return index
}
