package output

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/stream"
)

// maxArchivers bounds how many archivers a receiver listens to.
const maxArchivers = 16

// hearWithin bounds how long archivers are listened to.
const hearWithin = 3 * time.Second

// askFleet asks for the options of a stream that archivers read.
func (n *natsOptions) askFleet(t *Target, o *options) {
	n.bucket = o.text("bucket", n.stream)
	if archivers := o.text("archivers", ""); archivers != "" {
		n.archivers = strings.Split(archivers, ",")
	}
	for _, name := range n.archivers {
		if stream.CheckName(name) != nil {
			o.wrong("archivers", "names of archivers with commas between them: 1 to 63 small letters, digits, _ and - each")
			break
		}
	}
	if len(n.archivers) > maxArchivers || len(slices.Compact(slices.Sorted(slices.Values(n.archivers)))) != len(n.archivers) {
		o.wrong("archivers", fmt.Sprintf("up to %d different names", maxArchivers))
	}
	if strings.ContainsAny(n.bucket, " \t\r\n.*>/\\") {
		o.wrong("bucket", "the name of a bucket, without dots, blanks and wildcards")
	}
	if len(n.archivers) == 0 {
		return
	}
	if n.subject != "" {
		o.fault("archivers know a receiver by its subject, hbj.<receiver_name>: leave subject= out, or archivers=")
	}
	if len(t.Filter) > 0 {
		o.fault("archives are the whole journal: leave filter= out, or archivers=")
	}
}

// checkFleet sees whether archivers can know the receiver by its name.
func (n *natsOptions) checkFleet() error {
	if len(n.archivers) == 0 {
		return nil
	}
	if err := stream.CheckName(n.receiver); err != nil {
		return fmt.Errorf("%w: receiver_name: %w", forward.ErrStop, err)
	}
	return nil
}

// Archivers implements forward.Archived.
func (n *natsOutput) Archivers() int { return len(n.archivers) }

// value reads a value of the bucket into v. Found is false if there is none; one that makes no sense is none, since
// somebody else wrote it.
func (n *natsOutput) value(ctx context.Context, v any, kind string, names ...string) (found bool, err error) {
	if err := n.client.Dial(ctx); err != nil {
		return false, streamFault(err)
	}
	got, found, err := n.client.LastOn(ctx, "KV_"+n.bucket, "$KV."+n.bucket+"."+stream.Key(kind, names...))
	if err != nil || !found {
		if err != nil {
			err = fmt.Errorf("bucket %s: %w", n.bucket, streamFault(err))
		}
		return false, err
	}
	return len(got.Message.Data) > 0 && stream.Decode(got.Message.Data, v) == nil, nil
}

// setValue writes a value into the bucket.
func (n *natsOutput) setValue(ctx context.Context, v any, kind string, names ...string) error {
	data, err := json.Marshal(v)
	if err == nil {
		err = n.client.Dial(ctx)
	}
	if err != nil {
		return streamFault(err)
	}
	var ack stream.Ack
	key := stream.Key(kind, names...)
	if err := n.client.Ask(ctx, &nats.Msg{Subject: "$KV." + n.bucket + "." + key, Data: data}, &ack); err != nil {
		return fmt.Errorf("bucket %s: write %s: %w", n.bucket, key, streamFault(err))
	}
	return nil
}

// Hear implements forward.Archived.
func (n *natsOutput) Hear(ctx context.Context, journalID string) (forward.Heard, error) {
	ctx, cancel := context.WithTimeout(ctx, hearWithin)
	defer cancel()
	var heard forward.Heard
	confirmed := make(map[string]stream.Confirmation)
	for _, archiver := range n.archivers {
		var c stream.Confirmation
		found, err := n.value(ctx, &c, stream.KindConfirmed, archiver, n.receiver)
		if err != nil {
			return forward.Heard{}, err
		}
		if found && c.Journal == journalID {
			confirmed[archiver] = c
		}
	}
	heard.Confirmed, heard.All = n.lowest(confirmed)
	for _, archiver := range n.archivers {
		again, wanted, err := n.request(ctx, archiver, journalID, confirmed)
		if err != nil {
			return forward.Heard{}, err
		}
		if wanted {
			heard.Again = append(heard.Again, again)
		}
	}
	return heard, n.tell(ctx, journalID)
}

// lowest is what all archivers hold; all is false if one has not said anything.
func (n *natsOptions) lowest(confirmed map[string]stream.Confirmation) (held forward.Held, all bool) {
	for _, archiver := range n.archivers {
		c, ok := confirmed[archiver]
		if !ok {
			return forward.Held{}, false
		}
		if !all || c.Number < held.Number {
			held, all = forward.Held{At: c.To, Number: c.Number, Last: c.Last}, true
		}
	}
	return held, all
}

// request is what an archiver asks for. One that has confirmed more since does not miss it any more.
func (n *natsOutput) request(
	ctx context.Context, archiver, journalID string, confirmed map[string]stream.Confirmation,
) (again forward.Again, wanted bool, err error) {
	var r stream.Request
	found, err := n.value(ctx, &r, stream.KindAsk, archiver, n.receiver)
	if err != nil || !found || r.Journal != journalID || r.Number < 0 || len(r.ID) > 64 {
		return again, false, err
	}
	from := forward.Held{At: r.From, Number: r.Number}
	if c, ok := confirmed[archiver]; ok {
		if c.Number > r.Number {
			return again, false, nil
		}
		if c.Number == r.Number {
			from = forward.Held{At: c.To, Number: c.Number, Last: c.Last}
		}
	}
	return forward.Again{Archiver: archiver, ID: r.ID, From: from}, true, nil
}

// tell publishes how far this receiver has come, if that has changed.
func (n *natsOutput) tell(ctx context.Context, journalID string) error {
	m := n.stored
	if m.Journal != journalID || m.Next() <= n.told {
		return nil
	}
	err := n.setValue(ctx, stream.Figures{
		Journal: journalID, Number: m.Next(), To: m.To, Last: m.Last, At: time.Now().UTC(),
	}, stream.KindFigures, n.receiver)
	if err == nil {
		n.told = m.Next()
	}
	return err
}

// confirmedByAll is where to go on if there is no message on the subject: archivers purge only what all of them hold, and a
// stream that was lost is filled again from there. What one of them has already it drops.
func (n *natsOutput) confirmedByAll(ctx context.Context, journalID string) (forward.Held, bool, error) {
	confirmed := make(map[string]stream.Confirmation)
	for _, archiver := range n.archivers {
		var c stream.Confirmation
		found, err := n.value(ctx, &c, stream.KindConfirmed, archiver, n.receiver)
		if stream.Code(err) == stream.NoStream {
			break // No bucket either.
		}
		if err != nil {
			return forward.Held{}, false, err
		}
		if found && c.Journal == journalID {
			confirmed[archiver] = c
		}
	}
	held, all := n.lowest(confirmed)
	return held, all && held.Number > 0, nil
}

// takenOver reports whether it was said with TakeOver that the journal ours goes on under this receiver's name after theirs.
func (n *natsOutput) takenOver(ctx context.Context, theirs, ours string) (bool, error) {
	var owner stream.Owner
	found, err := n.value(ctx, &owner, stream.KindOwner, n.receiver)
	if stream.Code(err) == stream.NoStream {
		return false, nil
	}
	return found && owner.Journal == ours && slices.Contains(owner.Before, theirs), err
}

// maxBefore bounds the journals that are named in an Owner: the latest count.
const maxBefore = 16

// TakeOver implements forward.TakesOver.
func (n *natsOutput) TakeOver(ctx context.Context, journalID string) (before string, err error) {
	if err := n.attach(ctx); err != nil {
		return "", err
	}
	m, last, err := n.lastMark(ctx)
	if err != nil {
		return "", err
	}
	var figures stream.Figures
	if last == 0 {
		if _, err := n.value(ctx, &figures, stream.KindFigures, n.receiver); err != nil {
			return "", err
		}
		m.Journal = figures.Journal
	}
	switch m.Journal {
	case "":
		return "", fmt.Errorf("%w: no journal was ever sent to the subject %s of the stream %s, so there is nothing to take over",
			forward.ErrStop, n.subject, n.stream)
	case journalID:
		return "", fmt.Errorf("%w: the subject %s of the stream %s holds this journal already", forward.ErrStop, n.subject, n.stream)
	}
	var owner stream.Owner
	if _, err := n.value(ctx, &owner, stream.KindOwner, n.receiver); err != nil {
		return "", err
	}
	if owner.Journal == journalID && slices.Contains(owner.Before, m.Journal) {
		return m.Journal, nil
	}
	all := append(slices.DeleteFunc(append(owner.Before, owner.Journal), func(id string) bool {
		return id == "" || id == m.Journal || id == journalID
	}), m.Journal)
	all = all[max(0, len(all)-maxBefore):]
	return m.Journal, n.setValue(ctx, stream.Owner{Journal: journalID, Before: all, At: time.Now().UTC()}, stream.KindOwner, n.receiver)
}

var (
	_ forward.Archived  = (*natsOutput)(nil)
	_ forward.TakesOver = (*natsOutput)(nil)
)
