package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"hbjournal/sink/forward/stream"
)

// Seen is what was found of a stream and its bucket.
type Seen struct {
	Missing []string // of the two
	Differs []string // how those that are there differ from what is needed
	Info    stream.Info
}

// Look looks at the stream and the bucket, and changes nothing.
func (s Setup) Look(ctx context.Context) (seen Seen, err error) {
	client := stream.Client{Servers: s.Servers}
	defer client.Close()
	if err := client.Dial(ctx); err != nil {
		return seen, err
	}
	for i, want := range []stream.Config{s.config(), BucketConfig(s.Bucket, s.Replicas)} {
		var there stream.Info
		err := client.API(ctx, "STREAM.INFO."+want.Name, struct{}{}, &there)
		switch {
		case stream.Code(err) == stream.NoStream:
			seen.Missing = append(seen.Missing, []string{"stream ", "bucket "}[i]+want.Name)
			continue
		case err != nil:
			return seen, fmt.Errorf("look at stream %s: %w", want.Name, err)
		}
		for _, how := range differences(want, there.Config) {
			seen.Differs = append(seen.Differs, want.Name+": "+how)
		}
		if i == 0 {
			seen.Info = there
		}
	}
	return seen, nil
}

// silentAfter is how long a copy may be silent: servers that have nothing to say do so each second. One that this leader has
// never heard has 0.
const silentAfter = 10 * time.Second

// Current is how many copies of the stream are up, its leader's among them, and how many messages the slowest of the others lacks.
func (s Seen) Current() (copies int, behind uint64) {
	if s.Info.Cluster.Leader != "" || len(s.Info.Cluster.Replicas) == 0 {
		copies = 1
	}
	for _, replica := range s.Info.Cluster.Replicas {
		if !replica.Offline && replica.Active < silentAfter && (replica.Current || replica.Active > 0) {
			copies++
			behind = max(behind, replica.Lag)
		}
	}
	return copies, behind
}

// Syncs asks the monitoring of a server of NATS how it writes to its disk.
func Syncs(ctx context.Context, monitor string) (always bool, every time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(monitor, "/")+"/varz", nil)
	if err != nil {
		return false, 0, fmt.Errorf("ask the monitoring at %s: %w", monitor, err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, 0, fmt.Errorf("ask the monitoring: %w", err)
	}
	defer answer.Body.Close()
	var server struct {
		JetStream struct {
			Config *struct {
				Always bool          `json:"sync_always"`
				Every  time.Duration `json:"sync_interval"`
			} `json:"config"`
		} `json:"jetstream"`
	}
	const enough = 1 << 20
	err = json.NewDecoder(http.MaxBytesReader(nil, answer.Body, enough)).Decode(&server)
	if answer.StatusCode != http.StatusOK || err != nil || server.JetStream.Config == nil {
		return false, 0, fmt.Errorf("what answers at %s is no nats-server with JetStream (%s)", monitor, answer.Status)
	}
	c := server.JetStream.Config
	return c.Always, c.Every, nil
}
