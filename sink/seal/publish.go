package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// PublishOptions say where checkpoints go.
type PublishOptions struct {
	To     []string // files that they are appended to, and http or https URLs that they are sent to with POST
	Policy *Policy  // whose witnesses are asked for cosignatures; nil: none
	State  string   // as in Options
	Key    *Key

	Client *http.Client // nil: one that follows no redirection, and waits ten seconds at most
	Log    zerolog.Logger
}

// A Publisher takes checkpoints to where the machine's owner cannot take them back. It works on a goroutine of its own, and always
// on the newest: none of it holds up the sealing.
type Publisher struct {
	opts   PublishOptions
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}
	ended  chan struct{}
	closed sync.Once
	old    map[string]int64 // what each witness has cosigned last, as far as we know

	mu        sync.Mutex
	next      *Checkpoint // nil: there is none that was not taken
	failing   map[string]string
	alarm     error // a witness says that history was rewritten
	witnessed int64
}

// publishWithin bounds one try at one place.
const publishWithin = 10 * time.Second

// NewPublisher starts a Publisher, which the Sealer that it is given to ends; nil if there is nowhere to go.
func NewPublisher(o PublishOptions) *Publisher {
	if len(o.To) == 0 && o.Policy == nil {
		return nil
	}
	if o.Client == nil {
		o.Client = &http.Client{
			Timeout:       publishWithin,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	p := &Publisher{
		opts: o, wake: make(chan struct{}, 1), ended: make(chan struct{}), old: map[string]int64{}, failing: map[string]string{},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	go p.run()
	return p
}

// tell gives the Publisher a checkpoint. It does not wait.
func (p *Publisher) tell(c Checkpoint) {
	p.mu.Lock()
	p.next = &c
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// finish has what was told last taken to where it should be, unless that takes long.
func (p *Publisher) finish(giveUp <-chan struct{}) {
	if p == nil {
		return
	}
	p.closed.Do(func() { close(p.wake) })
	timer := time.NewTimer(publishWithin / 2)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-giveUp:
	case <-timer.C:
	}
	p.cancel()
	select {
	case <-p.ended:
	case <-time.After(time.Second): // An open of a file that does not answer; it ends with the process.
	}
}

func (p *Publisher) run() {
	defer close(p.ended)
	for range p.wake {
		p.publish()
	}
	p.publish()
}

func (p *Publisher) publish() {
	p.mu.Lock()
	c := p.next
	p.next = nil
	p.mu.Unlock()
	if c == nil {
		return
	}
	for _, to := range p.opts.To {
		if isURL(to) {
			p.report(to, p.post(to, c.Note))
		} else {
			p.report(to, appendNote(to, c.Note))
		}
	}
	if p.opts.Policy != nil {
		p.askWitnesses(*c)
	}
}

func isURL(to string) bool {
	return strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "https://")
}

// report logs when a place begins and ceases to refuse checkpoints.
func (p *Publisher) report(to string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	p.mu.Lock()
	before := p.failing[to]
	p.failing[to] = text
	p.mu.Unlock()
	switch {
	case text != "" && before == "":
		p.opts.Log.Warn().Err(err).Msg("checkpoints of the seal cannot be published; trying again with the next")
	case text == "" && before != "":
		p.opts.Log.Info().Str("to", to).Msg("checkpoints of the seal are published again")
	}
}

// state is how many places the last checkpoint could not be taken to, and what the witnesses say.
func (p *Publisher) state() (failing int, witnessed int64, alarm error) {
	if p == nil {
		return 0, 0, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.failing {
		if text != "" {
			failing++
		}
	}
	return failing, p.witnessed, p.alarm
}

// appendNote appends a note to a file, with an empty line behind it.
func appendNote(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|openNonblock, 0o644)
	if err != nil {
		return fmt.Errorf("publish checkpoint: %w", err)
	}
	_, err = file.Write(append(bytes.Clone(text), '\n'))
	if info, errStat := file.Stat(); errStat == nil && info.Mode().IsRegular() {
		err = errors.Join(err, file.Sync())
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("publish checkpoint: %w", err)
	}
	return nil
}

// post sends a note.
func (p *Publisher) post(url string, text []byte) error {
	code, body, err := p.send(url, text)
	switch {
	case err != nil:
		return fmt.Errorf("publish checkpoint: %w", err)
	case code/100 != 2:
		return fmt.Errorf("publish checkpoint: POST %s: %d %s: %.200q", url, code, http.StatusText(code), body)
	}
	return nil
}

func (p *Publisher) send(url string, text []byte) (code int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(p.ctx, publishWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	answer, err := p.opts.Client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxNote))
	return answer.StatusCode, body, err
}
