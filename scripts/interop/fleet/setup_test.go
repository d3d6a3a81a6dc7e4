package fleet

import (
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
	"time"
)

// TestAReceiverMakesTheStreamAsAnArchiverDoes: whoever comes first must not decide what the other one finds fault with.
func TestAReceiverMakesTheStreamAsAnArchiverDoes(t *testing.T) {
	f := &fleet{dir: t.TempDir()}
	f.cluster = newCluster(t, f.dir, 1)
	r := f.newReceiver(t, "one", filepath.Join(f.dir, "one"), []string{"FORWARD_TO=" + f.url("create=true&max_bytes=3GiB")})
	f.receivers = append(f.receivers, r)
	r.start(t)
	f.wantReady(t)
	stop := f.send(t, 100)
	defer stop()
	var byReceiver any
	eventually(t, time.Minute, "the receiver makes the stream", func() error {
		answer, err := f.cluster.tryAPI(t, "STREAM.INFO."+streamName, nil)
		if err == nil {
			byReceiver = answer["config"]
		}
		return err
	})
	stop()
	r.kill()
	f.cluster.api(t, "STREAM.DELETE."+streamName, nil)
	f.init(t)
	byArchiver := f.cluster.api(t, "STREAM.INFO."+streamName, nil)["config"]
	if !reflect.DeepEqual(byReceiver, byArchiver) {
		t.Errorf("got a stream of the receiver's\n%v\nwant it as the archiver's\n%v", byReceiver, byArchiver)
	}
	subjects := byArchiver.(map[string]any)["subjects"]
	if got := fmt.Sprint(subjects); got != "[hbj.>]" {
		t.Errorf("got subjects %s, want one for each receiver", got)
	}
}

// TestDoctorSeesTheStreamAndItsServers asks a real cluster, of which one server then goes.
func TestDoctorSeesTheStreamAndItsServers(t *testing.T) {
	f := &fleet{dir: t.TempDir()}
	f.cluster = newCluster(t, f.dir, 3)
	doctor := func(want ...string) {
		t.Helper()
		eventually(t, time.Minute, "doctor", func() error {
			printed := run(t, []string{"ARCHIVE_FROM=" + f.url("max_bytes=3GiB"), "JOURNAL_DIR=" + f.dir, "HTTP_ADDR=127.0.0.1:0", "HOME=" + f.dir},
				program("hbjournal"), "doctor", "--only", "archive", "--nats-monitor", "http://"+f.cluster.servers[0].monitor)
			for _, text := range want {
				if !regexp.MustCompile(text).MatchString(printed) {
					return fmt.Errorf("got %s\nwant %s", printed, text)
				}
			}
			return nil
		})
	}
	doctor(`warn  archive-stream +there is no stream HBJ, and no bucket KV_HBJ`, `ok    archive-settings`, `ok    archive-address`)
	f.init(t)
	doctor(`ok    archive-stream +3 of 3 copies are up`, `ok    archive-room .*max_bytes=3\.0 GiB`, `ok    archive-lag +nothing waits`, `ok    archive-sync +it syncs always`)
	f.cluster.servers[2].kill()
	doctor(`warn  archive-stream +2 of 3 copies are up`)
}
