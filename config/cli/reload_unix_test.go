//go:build unix

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"hbjournal/sink/names"
	"hbjournal/sink/seal"
)

// reloading is a daemon whose keys are changed while it runs.
type reloading struct {
	t   *testing.T
	dir string
	d   *process
}

func (r *reloading) put(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reloading) signal(name string) {
	r.t.Helper()
	if err := r.d.cmd.Process.Signal(signals()[name]); err != nil {
		r.t.Fatal(err)
	}
}

// untilLogged waits until the daemon has said something so often.
func (r *reloading) untilLogged(text string, times int) {
	r.t.Helper()
	err := poll(func() error {
		log, err := os.ReadFile(filepath.Join(r.dir, "log"))
		if got := strings.Count(string(log), text); err == nil && got < times {
			err = fmt.Errorf("the log says %q %d times, want %d:\n%s", text, got, times, log)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// rotated sends a message, rotates, and returns the name of the backup, which is encrypted.
func (r *reloading) rotated(message string, backups int) string {
	r.t.Helper()
	runShell(r.t, r.dir, "hbjournal send --to "+r.d.addr+" '"+message+"'")
	live := filepath.Join(r.dir, "journal", "messages.journal")
	var all []names.Backup
	err := poll(func() error {
		text, err := os.ReadFile(live)
		if err == nil && !strings.Contains(string(text), message) {
			err = fmt.Errorf("%s is not in the journal", message)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.signal("USR1")
	err = poll(func() error {
		var err error
		all, err = names.Backups(filepath.Join(r.dir, "journal"), "messages.journal")
		if err == nil && (len(all) != backups || !strings.HasSuffix(all[backups-1].Name, ".age")) {
			err = fmt.Errorf("got %v, want %d encrypted backups", all, backups)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return filepath.Join("journal", all[backups-1].Name)
}

// wantReadable wants a backup to be read by these identities, and by no others.
func (r *reloading) wantReadable(backup, message string, identities map[string]bool) {
	r.t.Helper()
	for identity, reads := range identities {
		found := run(r.t, nil, "query", "--identity", filepath.Join(r.dir, identity), filepath.Join(r.dir, backup))
		if got := strings.Contains(found.stdout, message); got != reads {
			r.t.Errorf("%s reads %s: %v, want %v: %s", identity, backup, got, reads, found.stderr)
		}
	}
}

// TestRecipientsAreReadAgainOnHangup changes the file of recipients of a running daemon: what is encrypted after SIGHUP can be read
// by the new recipient, what was encrypted before cannot, and a file that is none changes nothing. The seal goes over all of it.
func TestRecipientsAreReadAgainOnHangup(t *testing.T) {
	r := &reloading{t: t, dir: t.TempDir()}
	var recipients []string
	for _, name := range []string{"one", "other"} {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		r.put(name, id.String()+"\n")
		recipients = append(recipients, id.Recipient().String()+"\n")
	}
	secret, vkey, err := seal.GenerateKey("example.com/hb/reload")
	if err != nil {
		t.Fatal(err)
	}
	r.put("sign.key", secret+"\n")
	r.put("recipients", recipients[0])
	r.d = startDaemon(t, r.dir, "--journal-encrypt-to=recipients", "--journal-sign-key=sign.key")
	const again = "recipients of backups were read again"

	first := r.rotated(`{"n":1}`, 1)
	r.wantReadable(first, `{"n":1}`, map[string]bool{"one": true, "other": false})
	r.put("recipients", recipients[0]+recipients[1])
	r.signal("HUP")
	r.untilLogged(again, 1)
	second := r.rotated(`{"n":2}`, 2)
	r.wantReadable(second, `{"n":2}`, map[string]bool{"one": true, "other": true})
	r.wantReadable(first, `{"n":1}`, map[string]bool{"one": true, "other": false})
	r.put("recipients", "none\n")
	r.signal("HUP")
	r.untilLogged("backups are encrypted to the recipients of before", 1)
	r.wantReadable(r.rotated(`{"n":3}`, 3), `{"n":3}`, map[string]bool{"one": true, "other": true})
	r.put("recipients", recipients[1])
	r.signal("HUP")
	r.untilLogged(again, 2)
	r.wantReadable(r.rotated(`{"n":4}`, 4), `{"n":4}`, map[string]bool{"one": false, "other": true})

	r.end()
	run(t, nil, "verify", "--key", vkey, "--identity", filepath.Join(r.dir, "one"), "--identity", filepath.Join(r.dir, "other"),
		filepath.Join(r.dir, "journal")).want(t, 0, "sealed: ")
}

func (r *reloading) end() {
	r.t.Helper()
	r.signal("TERM")
	if code, err := r.d.exit(); code != 0 || err != nil {
		r.t.Fatalf("the daemon ends with %d, %v", code, err)
	}
}

// TestSignKeyIsChangedByAStartWithBoth changes the sign key as the seal's page says: at a start with the old and the new one. SIGHUP does
// not read it: what runs goes on with the key that it has.
func TestSignKeyIsChangedByAStartWithBoth(t *testing.T) {
	r := &reloading{t: t, dir: t.TempDir()}
	oldSecret, oldKey, err := seal.GenerateKey("example.com/hb/change")
	if err != nil {
		t.Fatal(err)
	}
	newSecret, newKey, err := seal.GenerateKey("example.com/hb/change")
	if err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(r.dir, "journal")
	live := filepath.Join(journal, "messages.journal")
	lines := 1 // with the note that begins the tree
	for i, keys := range []string{oldSecret + "\n", oldSecret + "\n" + newSecret + "\n", newSecret + "\n"} {
		r.put("sign.key", keys)
		r.d = startDaemon(t, r.dir, "--journal-sign-key=sign.key")
		runShell(t, r.dir, "hbjournal send --to "+r.d.addr+` '{"n":1}'`)
		lines++
		waitLines(t, live, lines)
		r.put("sign.key", newSecret+"\n") // It is not read before the next start.
		r.signal("HUP")
		runShell(t, r.dir, "hbjournal send --to "+r.d.addr+` '{"n":2}'`)
		lines++
		waitLines(t, live, lines)
		r.end()
		text, err := os.ReadFile(live)
		if err != nil {
			t.Fatal(err)
		}
		lines = strings.Count(string(text), "\n") // with the note of the close
		for key, sealed := range map[string]bool{oldKey: i < 2, newKey: i > 0} {
			code := map[bool]int{true: 0, false: 1}[sealed]
			run(t, nil, "verify", "--key", key, journal).want(t, code, map[bool]string{true: "sealed: ", false: "not signed by the key"}[sealed])
		}
	}
}
