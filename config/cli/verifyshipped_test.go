package cli

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hbjournal/sink"
	"hbjournal/sink/forward/durable"
	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

// TestVerifyKeyOfAnArchivesCopy verifies a sealed journal as an archive has it: the same lines, and none of the seal's state.
func TestVerifyKeyOfAnArchivesCopy(t *testing.T) {
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "sign.key")
	secret, vkey, err := seal.GenerateKey("example.com/hb/rx1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := seal.ReadKey(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "own")
	sealer, err := seal.New(seal.Options{Dir: own, Base: "messages.journal", State: rotate.StateDir(own, "messages.journal"), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	j, err := sink.Open(sink.Options{Dir: own, Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := j.LogMessage([]byte(`{"ID":"HTB","name":"web1"}`), netip.MustParseAddrPort("192.0.2.1:4000"), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(own, "messages.journal"))
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "archive", "rx1")
	state := filepath.Join(rotate.StateDir(copied, "messages.journal"), "archive")
	if err := os.MkdirAll(state, 0o750); err != nil {
		t.Fatal(err)
	}
	slots, err := durable.CreateSlots(filepath.Join(state, "position"), []byte(`{"number":22}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := slots.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(copied, "messages.journal")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "verify", "--key", vkey, copied).want(t, 0, "sealed: 21 lines to checkpoint 21; 1 line not yet sealed; not anchored")
	if err := os.WriteFile(path, bytes.Replace(text, []byte("web1"), []byte("web2"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "verify", "--key", vkey, copied).want(t, 1, "messages.journal:1: between here and", "NOT as sealed")
}
