package cli

import (
	"fmt"

	"hbjournal/config"
	"hbjournal/sink"
	"hbjournal/sink/crypt"
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
