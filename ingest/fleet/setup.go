package fleet

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"

	"hbjournal/sink/forward/stream"
)

// Setup makes what a fleet needs of NATS, and takes away what it needs no more.
type Setup struct {
	Servers  stream.Servers
	Stream   string
	Bucket   string
	Replicas int
	MaxBytes int64 // of the stream; 0: no limit
}

// Made is what became of a stream.
type Made struct {
	Name    string
	Made    bool     // it was not there
	Differs []string // how one that was there differs from what is needed
}

func (s Setup) config() stream.Config {
	return stream.ForJournals(s.Stream, subjectPrefix+">", s.Replicas, s.MaxBytes)
}

// Init makes the stream and the bucket, or says how those that are there differ. It changes nothing that is there.
func (s Setup) Init(ctx context.Context) ([]Made, error) {
	client := stream.Client{Servers: s.Servers}
	defer client.Close()
	if err := client.Dial(ctx); err != nil {
		return nil, err
	}
	var all []Made
	for _, want := range []stream.Config{s.config(), BucketConfig(s.Bucket, s.Replicas)} {
		made, err := makeOne(ctx, &client, want)
		if err != nil {
			return all, err
		}
		all = append(all, made)
	}
	return all, nil
}

func makeOne(ctx context.Context, client *stream.Client, want stream.Config) (Made, error) {
	made := Made{Name: want.Name}
	var there stream.Info
	err := client.API(ctx, "STREAM.INFO."+want.Name, struct{}{}, &there)
	if err == nil {
		made.Differs = differences(want, there.Config)
		return made, nil
	}
	if stream.Code(err) != stream.NoStream {
		return made, fmt.Errorf("look at stream %s: %w", want.Name, err)
	}
	if err := client.API(ctx, "STREAM.CREATE."+want.Name, want, &stream.Info{}); err != nil {
		return made, fmt.Errorf("make stream %s: %w", want.Name, err)
	}
	made.Made = true
	return made, nil
}

// differences say how a stream differs from what is needed.
func differences(want, is stream.Config) (all []string) {
	differ := func(name string, is, want any, why string) {
		if is != want {
			all = append(all, fmt.Sprintf("%s is %v, want %v: %s", name, is, want, why))
		}
	}
	if !slices.Equal(is.Subjects, want.Subjects) && !slices.Equal(is.Subjects, []string{subjectPrefix + "*"}) {
		differ("subjects", fmt.Sprint(is.Subjects), fmt.Sprint(want.Subjects), "others belong to no journal")
	}
	differ("retention", is.Retention, want.Retention, "others let messages go before all archivers have them")
	differ("storage", is.Storage, want.Storage, "memory loses all with the process")
	differ("discard", is.Discard, want.Discard, "a full stream must refuse what is new, not lose what is old")
	differ("max_age", is.MaxAge, want.MaxAge, "what an archiver that was down has not read would be gone")
	differ("no_ack", is.NoAck, false, "nobody would know what it holds")
	differ("sealed", is.Sealed, false, "it takes nothing")
	differ("deny_purge", is.DenyPurge, false, "what all archivers have could not be removed")
	if want.PerSubject < 1 && is.PerSubject > 0 {
		differ("max_msgs_per_subject", is.PerSubject, int64(-1), "messages would go before all archivers have them")
	}
	if is.Replicas < want.Replicas {
		differ("num_replicas", is.Replicas, want.Replicas, "the loss of fewer servers loses messages, which the receivers then send again")
	}
	return all
}

// Forget lets nothing be kept any more for an archiver, and reports whether there was one of that name. A mark of its end stays in the
// bucket: of what is purged, those who read the bucket hear nothing.
func (s Setup) Forget(ctx context.Context, archiver string) (found bool, err error) {
	if err := stream.CheckName(archiver); err != nil {
		return false, err
	}
	client := stream.Client{Servers: s.Servers}
	defer client.Close()
	if err := client.Dial(ctx); err != nil {
		return false, err
	}
	prefix := "$KV." + s.Bucket + "."
	key := prefix + stream.Key(stream.KindArchiver, archiver)
	registered, is, err := client.LastOn(ctx, "KV_"+s.Bucket, key)
	if err != nil {
		return false, fmt.Errorf("look for archiver %s in bucket %s: %w", archiver, s.Bucket, err)
	}
	found = is && len(registered.Message.Data) > 0
	for _, kind := range []string{stream.KindConfirmed, stream.KindAsk} {
		var done stream.Purged
		filter := prefix + stream.Key(kind, archiver) + ".>"
		if err := client.API(ctx, "STREAM.PURGE.KV_"+s.Bucket, map[string]string{"filter": filter}, &done); err != nil {
			return found, fmt.Errorf("remove the keys of archiver %s from bucket %s: %w", archiver, s.Bucket, err)
		}
		found = found || done.Count > 0
	}
	if !found {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, client.Timeout)
	defer cancel()
	ended := &nats.Msg{Subject: key, Header: nats.Header{headerOperation: {"DEL"}}}
	if err := client.Ask(ctx, ended, &stream.Ack{}); err != nil {
		return true, fmt.Errorf("tell the others in bucket %s that archiver %s is forgotten: %w", s.Bucket, archiver, err)
	}
	return true, nil
}
