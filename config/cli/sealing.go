package cli

import (
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/config"
	"hbjournal/config/cli/doctor"
	"hbjournal/sink"
	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

// The Sealer is what the journal tells of what it writes.
var _ sink.Sealer = (*seal.Sealer)(nil)

// sealOptions reads the key and the policy that the settings name; nil: the journal is not sealed.
func sealOptions(cfg config.Config, log zerolog.Logger) (*seal.Options, *seal.Policy, error) {
	if cfg.JournalSignKey == "" {
		if len(cfg.JournalCheckpointsTo) > 0 || cfg.JournalWitnessPolicy != "" {
			log.Warn().Msg("journal is not sealed: journal_checkpoints_to and journal_witness_policy do nothing without journal_sign_key")
		}
		return nil, nil, nil
	}
	key, err := seal.ReadKey(cfg.JournalSignKey)
	if err != nil {
		return nil, nil, &usageError{
			fmt.Errorf("journal_sign_key: %w", err),
			"set JOURNAL_SIGN_KEY to a file that 'hbjournal seal keygen NAME' has made, and that not everybody can read",
		}
	}
	var policy *seal.Policy
	if cfg.JournalWitnessPolicy != "" {
		if policy, err = seal.ReadPolicy(cfg.JournalWitnessPolicy); err != nil {
			return nil, nil, &usageError{fmt.Errorf("journal_witness_policy: %w", err), policyHint}
		}
	}
	return &seal.Options{
		Dir: cfg.JournalDir, Base: cfg.JournalFile, State: rotate.StateDir(cfg.JournalDir, cfg.JournalFile),
		Key: key, Every: sealCadence(cfg), Log: log,
	}, policy, nil
}

// sealCadence is the pause between checkpoints: after each sync of the journal, and a second at least.
func sealCadence(cfg config.Config) time.Duration {
	return max(time.Second, time.Duration(cfg.JournalFsync))
}

const policyHint = "it is a file of C2SP tlog-policy, such as 'witness w1 VKEY https://witness.example.com/' and 'quorum w1'"

// openSealer makes the Sealer that the settings ask for; nil: none.
func openSealer(cfg config.Config, log zerolog.Logger) (*seal.Sealer, error) {
	o, policy, err := sealOptions(cfg, log)
	if err != nil || o == nil {
		return nil, err
	}
	sealer, err := seal.New(*o)
	if err != nil {
		return nil, err
	}
	sealer.Publish(seal.NewPublisher(seal.PublishOptions{
		To: cfg.JournalCheckpointsTo, Policy: policy, State: o.State, Key: o.Key, Log: log,
	}))
	return sealer, nil
}

// sealState is how to look at what seals the journal; nil: nothing does.
func sealState(cfg config.Config) func() doctor.Seal {
	if cfg.JournalSignKey == "" {
		return nil
	}
	return func() doctor.Seal {
		s := doctor.Seal{KeyFile: cfg.JournalSignKey, Published: len(cfg.JournalCheckpointsTo) > 0 || cfg.JournalWitnessPolicy != ""}
		o, _, err := sealOptions(cfg, zerolog.Nop())
		if err != nil {
			s.KeyErr = err
			return s
		}
		s.Checkpoint, s.Begun, s.KeyErr = seal.Standing(*o)
		return s
	}
}
