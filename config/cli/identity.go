package cli

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"hbjournal/sink/crypt"
	"hbjournal/sink/journal/read"
)

// What is encrypted is read with the identities of the call.
var _ read.Decrypter = (*crypt.Identities)(nil)

// identityVar is the variable that names a file of identities, if --identity does not. It is no setting: the daemon has no
// use for a secret key.
const identityVar = "AGE_IDENTITY_FILE"

// addIdentity gives cmd the flag for the secret keys of encrypted backups.
func (s *selection) addIdentity(cmd *cobra.Command) { addIdentity(cmd, &s.identities) }

func addIdentity(cmd *cobra.Command, paths *[]string) {
	cmd.Flags().Var(&someTexts{paths, false}, "identity",
		"`file` of secret keys of age, for encrypted backups; - for standard input; else "+identityVar)
}

// decrypter reads the identities of the call; nil: none are given.
func (s *selection) decrypter(args []string) (read.Decrypter, error) {
	return decrypterOf(s.identities, args, s.environ)
}

// decrypterOf reads the identities of the flag or the variable; nil: none are given. Standard input can be read once only, and
// args may name it too.
func decrypterOf(paths, args []string, env Env) (read.Decrypter, error) {
	if path := env.environ()[identityVar]; len(paths) == 0 && path != "" {
		paths = []string{path}
	}
	if len(paths) == 0 {
		return nil, nil
	}
	if slices.Contains(paths, crypt.Stdin) && slices.Contains(args, read.Stdin) {
		return nil, &usageError{errors.New("--identity - and -: standard input cannot be both"), "give one of them as a file"}
	}
	for _, path := range crypt.Exposed(paths) {
		fmt.Fprintf(env.Stderr, "hbjournal: warning: identity %s can be read by everybody on this machine: run chmod 600 on it\n", visible(path))
	}
	ids, err := crypt.ReadIdentities(paths, env.Stdin)
	if err != nil {
		return nil, &usageError{err, "age-keygen makes such a file, and its public key goes into journal_encrypt_to"}
	}
	return ids, nil
}

// leftOut is the error for files that are encrypted and were left out, of which there are so many.
func leftOut(encrypted int, identity bool) error {
	are := "1 file is"
	if encrypted > 1 {
		are = fmt.Sprintf("%d files are", encrypted)
	}
	return &hintedError{fmt.Errorf("%s encrypted and left out: the rest was read", are), identityHint(identity)}
}

// identityHint says what reads encrypted files, whether or not an identity was given.
func identityHint(given bool) string {
	if given {
		return "none of the identities given opens them: give that of a recipient in journal_encrypt_to"
	}
	return "give --identity FILE, or set " + identityVar
}
