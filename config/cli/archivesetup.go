package cli

import (
	"context"
	"errors"
	"fmt"

	"hbjournal/ingest/fleet"
	receivers "hbjournal/sink/forward/output"
)

func setupOf(s *receivers.Source) fleet.Setup {
	return fleet.Setup{Servers: s.Servers, Stream: s.Stream, Bucket: s.Bucket, Replicas: s.Replicas, MaxBytes: s.MaxBytes}
}

// initStream makes the stream and the bucket, or says how those that are there differ from what is needed.
func initStream(ctx context.Context, source *receivers.Source, env Env) error {
	all, err := setupOf(source).Init(ctx)
	differ := false
	for _, made := range all {
		what := "is as it should be"
		if made.Made {
			what = "made"
		} else if len(made.Differs) > 0 {
			what, differ = "differs from what is needed:", true
		}
		fmt.Fprintf(env.Stdout, "%s: %s\n", made.Name, what)
		for _, how := range made.Differs {
			fmt.Fprintf(env.Stdout, "  %s\n", visible(how))
		}
	}
	if err != nil {
		return &hintedError{fmt.Errorf("set up %s: %w", source.Address(), err), "a single server takes replicas=1; creds_file= or user= and password_file= log in"}
	}
	if differ {
		return &hintedError{errors.New("the stream is not as a fleet needs it; nothing was changed"), "change it with 'nats stream edit', or remove it and run this again: the receivers send again what they keep"}
	}
	return nil
}

// forgetArchiver lets nothing be kept any more for an archiver.
func forgetArchiver(ctx context.Context, source *receivers.Source, name string, env Env) error {
	found, err := setupOf(source).Forget(ctx, name)
	if err != nil {
		return fmt.Errorf("forget archiver %s: %w", name, err)
	}
	if !found {
		return &hintedError{fmt.Errorf("forget archiver %s: there is none of that name in bucket %s", name, source.Bucket), "its name is archiver_name, or the host name"}
	}
	fmt.Fprintf(env.Stdout, "archiver %s is forgotten; receivers that name it in archivers= need to be told\n", name)
	return nil
}
