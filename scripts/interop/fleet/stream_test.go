package fleet

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWhatEngineAndArchiverStoreIsLost takes one thing after another away from a fleet at work: the stream, its messages,
// its consumers, the bucket of confirmations, the position of an archiver.
func TestWhatEngineAndArchiverStoreIsLost(t *testing.T) {
	f := newFleet(t, plan{})
	for _, loss := range []struct {
		name string
		take func(t *testing.T)
	}{
		{"stream deleted and made anew", func(t *testing.T) { f.loseStream(t, "DELETE") }},
		{"stream purged", func(t *testing.T) { f.loseStream(t, "PURGE") }},
		{"consumers deleted", f.deleteConsumers},
		{"position lost", f.losePosition},
		{"bucket lost", f.loseBucket},
	} {
		t.Run(loss.name, func(t *testing.T) {
			stop := f.send(t, 1000)
			goOn(t, time.Second)
			loss.take(t)
			goOn(t, time.Second)
			stop()
			f.settle(t)
		})
	}
	f.wantSame(t)
	f.wantLines(t, 10_000)
}

// loseStream deletes or purges the stream while one archiver is down, so that this one cannot have had all.
func (f *fleet) loseStream(t *testing.T, how string) {
	f.archivers[1].kill()
	goOn(t, 2*time.Second)
	f.cluster.api(t, "STREAM."+how+"."+streamName, nil)
	if how == "DELETE" {
		f.init(t)
	}
	f.archivers[1].start(t)
}

func (f *fleet) deleteConsumers(t *testing.T) {
	deleted := 0
	for range 5 {
		names, _ := f.cluster.api(t, "CONSUMER.NAMES."+streamName, nil)["consumers"].([]any)
		for _, name := range names {
			if _, err := f.cluster.tryAPI(t, fmt.Sprintf("CONSUMER.DELETE.%s.%s", streamName, name), nil); err == nil {
				deleted++
			}
		}
		goOn(t, 200*time.Millisecond)
	}
	t.Logf("%d consumers deleted", deleted)
}

// losePosition kills an archiver and takes all away that it keeps beside its journals.
func (f *fleet) losePosition(t *testing.T) {
	a := f.archivers[0]
	a.kill()
	removed := 0
	err := filepath.WalkDir(a.journals, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || d.Name()[0] != '.' {
			return err
		}
		removed++
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		return filepath.SkipDir
	})
	if err != nil || removed == 0 {
		t.Fatalf("removed %d directories, %v; want those of the positions", removed, err)
	}
	a.start(t)
}

func (f *fleet) loseBucket(t *testing.T) {
	f.cluster.api(t, "STREAM.DELETE."+bucketName, nil)
	goOn(t, time.Second)
	f.init(t)
}
