package seal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"hbjournal/sink/seal"
)

// TestACheckpointThatIsHalfWrittenIsTornAndNoAlarm cuts a kept checkpoint at each byte, and has whole ones follow: beside the journal,
// and in a file that checkpoints are published to.
func TestACheckpointThatIsHalfWrittenIsTornAndNoAlarm(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(20)
	w.sealed()
	early := append(w.note(), '\n')
	w.send(20)
	w.sealed()
	w.close()
	late := append(w.note(), '\n')
	kept := filepath.Join(w.sealDir(), "checkpoints")
	outside := filepath.Join(t.TempDir(), "checkpoints")
	for n := 1; n < len(early)-2; n++ {
		text := bytes.Join([][]byte{early, early[:n], late}, nil)
		for _, path := range []string{kept, outside} {
			if err := os.WriteFile(path, text, 0o640); err != nil {
				t.Fatal(err)
			}
		}
		found, err := seal.ReadCheckpoints(outside, verifierOf(t, w.vkey))
		if err != nil {
			t.Fatal(err)
		}
		v := verify(t, w.dir, w.vkey, func(o *seal.VerifyOptions) { o.Checkpoints = found })
		if len(v.Faults) > 0 {
			t.Fatalf("torn after %d bytes: %s", n, texts(v))
		}
		wantWords(t, texts(v), []string{"are torn: a crash left them half written", "anchored at"})
	}
	// A whole one of which a bit was changed is no torn one.
	bad := bytes.Clone(early)
	bad[bytes.IndexByte(bad, '\n')+1] ^= 1
	if err := os.WriteFile(kept, append(append(bytes.Clone(early), bad...), late...), 0o640); err != nil {
		t.Fatal(err)
	}
	if v := verify(t, w.dir, w.vkey); len(v.Faults) == 0 {
		t.Errorf("got %s", texts(v))
	}
}

func verifierOf(t *testing.T, vkey string) *seal.Verifier {
	t.Helper()
	key, err := seal.ReadVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
