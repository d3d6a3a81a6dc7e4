package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"hbjournal/config"
	"hbjournal/config/cli/doctor"
	"hbjournal/sink"
	"hbjournal/sink/crypt"
	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
)

// Backups are encrypted to the recipients of journal_encrypt_to.
var _ rotate.Encrypter = (*crypt.Recipients)(nil)

// encryptBy has the journal of o encrypt its backups, if the settings say so. What keeps it from that is an error: there is
// no journal that was to be encrypted and is not.
func encryptBy(cfg config.Config, o sink.Options) (sink.Options, error) {
	if len(cfg.JournalEncryptTo) == 0 {
		return o, nil
	}
	recipients, err := crypt.ParseRecipients(cfg.JournalEncryptTo)
	if err != nil {
		return o, fmt.Errorf("journal_encrypt_to: %w", err)
	}
	o.Encrypter = recipients
	return o, nil
}

// reloadRecipients reads the files of journal_encrypt_to again, for the backups that are encrypted from now on.
func reloadRecipients(to rotate.Encrypter, log zerolog.Logger) error {
	recipients, ok := to.(*crypt.Recipients)
	if !ok {
		return nil
	}
	if err := recipients.Reload(); err != nil {
		return fmt.Errorf("journal_encrypt_to: %w; backups are encrypted to the recipients of before", err)
	}
	log.Info().Int("recipients", recipients.Len()).Msg("recipients of backups were read again")
	return nil
}

// checkRecipients encrypts something to all recipients.
func checkRecipients(cfg config.Config) error {
	_, err := encryptBy(cfg, sink.Options{})
	return err
}

// doubtRecipients says what is odd about recipients that can be encrypted to.
func doubtRecipients(cfg config.Config) []string {
	recipients, err := crypt.ParseRecipients(cfg.JournalEncryptTo)
	if len(cfg.JournalEncryptTo) == 0 || err != nil || recipients.Len() > 1 {
		return nil
	}
	return []string{"journal_encrypt_to has one recipient: if its key is lost, so are all encrypted backups; " +
		"add a second one, whose key is kept elsewhere"}
}

// maxKeyBytes is how large a file may be that is looked into for a secret key, and maxLooked how many are.
const (
	maxKeyBytes = 64 << 10
	maxLooked   = 100
)

// secretsBeside are the files that hold secret keys in the directories of the journal, where they do not belong: who takes
// the backups would get the key with them.
func secretsBeside(cfg config.Config) (found []string) {
	looked := 0
	for _, dir := range []string{cfg.JournalDir, rotate.StateDir(cfg.JournalDir, cfg.JournalFile)} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // It is made at the start, or who writes into it says what is wrong.
		}
		for _, e := range entries {
			if _, backup := names.StampOf(cfg.JournalFile, e.Name()); backup || e.Name() == cfg.JournalFile || !e.Type().IsRegular() {
				continue
			}
			if looked++; looked > maxLooked {
				return found
			}
			if path := filepath.Join(dir, e.Name()); holdsSecret(path) {
				found = append(found, path)
			}
		}
	}
	return found
}

func holdsSecret(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Size() > maxKeyBytes {
		return false
	}
	text, err := os.ReadFile(path)
	return err == nil && bytes.Contains(text, []byte("AGE-SECRET-KEY-"))
}

// encryptionState is what `doctor` says of the encryption.
func encryptionState(cfg config.Config) doctor.Encryption {
	e := doctor.Encryption{On: len(cfg.JournalEncryptTo) > 0, Secrets: secretsBeside(cfg)}
	if e.On {
		recipients, err := crypt.ParseRecipients(cfg.JournalEncryptTo)
		if e.Err = err; err == nil {
			e.Recipients = recipients.Len()
		}
	}
	return e
}
