package output

import (
	"hbjournal/sink/forward"
	"hbjournal/sink/forward/format"
)

// maker makes what is sent of the i-th line of a batch. The message is valid until the next one.
type maker interface {
	message(b *forward.Batch, i int) ([]byte, *unfit)
}

// formed makes messages in one of the forms.
type formed struct {
	form format.Form
	most int // bytes of a message; 0: no limit
	text []byte
}

func (f *formed) message(b *forward.Batch, i int) ([]byte, *unfit) {
	e, err := b.Entry(i)
	if err != nil {
		return nil, &unfit{malformed, err.Error()}
	}
	if cap(f.text) > keptMemory {
		f.text = nil
	}
	f.text = f.form.Append(f.text[:0], &e, b.ID(i))
	if f.most > 0 && len(f.text) > f.most {
		return nil, exceeds(len(f.text), f.most, "max_len")
	}
	return f.text, nil
}

// whole sends each message as one datagram.
type whole struct{ maker }

func (w whole) pack(b *forward.Batch, i int, send func([]byte) error) (*unfit, error) {
	message, no := w.message(b, i)
	if no != nil {
		return no, nil
	}
	return nil, send(message)
}

// appender is the form as bodies of several messages are made of it, each with end behind it.
func (f *formed) appender(end string) appender {
	return func(dst []byte, b *forward.Batch, i int) ([]byte, *unfit) {
		message, no := f.message(b, i)
		return append(append(dst, message...), end...), no
	}
}
