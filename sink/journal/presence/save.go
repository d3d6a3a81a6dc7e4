package presence

import (
	"encoding/json"
	"fmt"
	"net/netip"
)

// savedBoard is a Board as JSON. Instants are Unix milliseconds.
type savedBoard struct {
	Now       int64           `json:"now"`
	Latest    int64           `json:"latest"`
	Left      int64           `json:"left,omitempty"`
	Downs     [][2]int64      `json:"downs,omitempty"`
	Receivers []savedReceiver `json:"receivers"`
	Hosts     []savedHost     `json:"hosts"`
}

type savedReceiver struct {
	Place  string     `json:"place"`
	Heard  int64      `json:"heard"`
	Latest int64      `json:"latest"`
	Gaps   [][2]int64 `json:"gaps,omitempty"`
}

type savedHost struct {
	Name     string     `json:"name"`
	From     netip.Addr `json:"from"`
	Receiver int        `json:"receiver"` // of Receivers
	Last     int64      `json:"last"`
	Beat     int64      `json:"beat,omitempty"`
	Beats    int64      `json:"beats,omitempty"`
	Interval int64      `json:"interval,omitempty"`
	Nth      int64      `json:"nth,omitempty"`
	Booted   int64      `json:"booted,omitempty"`
	Since    int64      `json:"since,omitempty"`
	Fell     int64      `json:"fell,omitempty"`
	Told     bool       `json:"told,omitempty"`
	Quiet    int64      `json:"quiet,omitempty"`
	Returned int64      `json:"returned,omitempty"`
	Missed   int64      `json:"missed,omitempty"`
	Doubt    bool       `json:"doubt,omitempty"`
}

// Save returns the board as JSON, on one line, for Load. What Alive said is not in it, nor changes that were not asked for.
func (b *Board) Save() ([]byte, error) {
	saved := savedBoard{Now: b.now, Latest: b.latest, Left: b.left, Downs: pairs(b.downs)}
	index := map[*receiver]int{}
	for _, r := range b.receivers {
		index[r] = len(saved.Receivers)
		saved.Receivers = append(saved.Receivers, savedReceiver{r.place, r.heardAt, r.latest, pairs(r.gaps)})
	}
	for _, h := range b.hosts {
		saved.Hosts = append(saved.Hosts, savedHost{
			Name: h.name, From: h.from, Receiver: index[h.receiver], Last: h.last, Beat: h.beat, Beats: h.beats, Interval: h.interval,
			Nth: h.nth, Booted: h.booted, Since: h.since, Fell: h.fell, Told: h.told, Quiet: h.quiet, Returned: h.returned, Missed: h.missed, Doubt: h.doubt,
		})
	}
	return json.Marshal(saved)
}

// Load returns the Board that was saved; the options are those of now.
func Load(opt Options, text []byte) (*Board, error) {
	var saved savedBoard
	if err := json.Unmarshal(text, &saved); err != nil {
		return nil, fmt.Errorf("read how hosts stood: %w", err)
	}
	b := New(opt)
	b.now, b.latest, b.left, b.downs = clampMillis(saved.Now), clampMillis(saved.Latest), saved.Left, spans(saved.Downs)
	var receivers []*receiver
	for _, s := range saved.Receivers {
		r := b.receiver(s.Place)
		r.heardAt, r.latest, r.gaps = clampMillis(s.Heard), clampMillis(s.Latest), spans(s.Gaps)
		receivers = append(receivers, r)
	}
	for _, s := range saved.Hosts {
		if s.Receiver < 0 || s.Receiver >= len(receivers) || s.Interval < 0 || s.Interval > 0 && s.Nth < 1 {
			return nil, fmt.Errorf("read how hosts stood: %q is not as it was saved", s.Name)
		}
		h := &host{
			name: s.Name, from: s.From, receiver: receivers[s.Receiver], last: s.Last, beat: s.Beat, beats: s.Beats, interval: s.Interval,
			nth: s.Nth, booted: s.Booted, since: s.Since, fell: s.Fell, told: s.Told, quiet: s.Quiet, returned: s.Returned, missed: s.Missed, doubt: s.Doubt,
			place: -1,
		}
		b.hosts[h.name], b.ordered = h, nil
		if h.fell > 0 {
			b.fell[h] = struct{}{}
		}
		h.recount()
		b.wait(h, b.due(h))
	}
	return b, nil
}

func pairs(spans []span) (pairs [][2]int64) {
	for _, s := range spans {
		pairs = append(pairs, [2]int64{s.from, s.to})
	}
	return pairs
}

func spans(pairs [][2]int64) (spans []span) {
	for _, p := range pairs {
		spans = add(spans, span{clampMillis(p[0]), clampMillis(p[1])}, 0)
	}
	return spans
}
