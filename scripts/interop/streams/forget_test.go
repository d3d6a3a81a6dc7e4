package streams

import (
	"testing"
	"time"

	"hbjournal/ingest/fleet"
	"hbjournal/sink/forward/stream"
)

// An archiver that runs hears that another one was forgotten, and keeps nothing for it any more.
func TestNATSForgottenArchiverIsHeardOfByThoseThatRun(t *testing.T) {
	e := newNATS(t)
	servers := stream.Servers{Hosts: []string{e.direct()}, Timeout: 5 * time.Second}
	setup := fleet.Setup{Servers: servers, Stream: "HBJ", Bucket: "HBJ", Replicas: 1}
	if _, err := setup.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := fleet.NewNATSBucket(servers, "HBJ", "HBJ")
	defer b.Close()
	if err := b.Put(t.Context(), "archiver.old", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if changes, _, err := b.Poll(t.Context()); err != nil || len(changes) != 1 || changes[0].Value == nil {
		t.Fatalf("got %v, %v, want the archiver", changes, err)
	}
	for _, want := range []bool{true, false} {
		if found, err := setup.Forget(t.Context(), "old"); err != nil || found != want {
			t.Errorf("forget: got %v, %v, want %v", found, err, want)
		}
	}
	changes, _, err := b.Poll(t.Context())
	if err != nil || len(changes) != 1 || changes[0].Key != "archiver.old" || changes[0].Value != nil {
		t.Errorf("got %v, %v, want word that the archiver is gone", changes, err)
	}
}
