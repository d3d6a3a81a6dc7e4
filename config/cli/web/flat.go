package web

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// The bounds of what is looked for inside of a message.
const (
	maxLevels   = 8
	maxElements = 64 // of an array
	maxFlat     = 256
	maxValue    = 120 // bytes of a text
	maxPath     = 120
)

// A leaf is a value of a message that holds no others, and where it stands: "disk.0.used_percent".
type leaf struct {
	path   string
	text   string
	number float64
	isNum  bool
}

// leavesOf are the values of a message but those of its envelope, in their order, as many as are looked at.
func leavesOf(message []byte) []leaf {
	d := json.NewDecoder(bytes.NewReader(message))
	d.UseNumber()
	f := flattener{d: d}
	if t, err := d.Token(); err == nil && t == json.Delim('{') {
		f.object("", 1)
	}
	return f.all
}

// flattener walks through the tokens of a message.
type flattener struct {
	d   *json.Decoder
	all []leaf
}

// isEnvelope reports whether a member of the message says something of the message itself, and measures nothing.
func isEnvelope(key string) bool {
	switch key {
	case "ID", "name", "plugin", "interval", "ver", "boot":
		return true
	}
	return false
}

// object goes through the members of an object that was begun. It returns false at a fault.
func (f *flattener) object(path string, level int) bool {
	for f.d.More() {
		key, err := f.d.Token()
		if err != nil {
			return false
		}
		name, _ := key.(string) // It is one: this is JSON.
		if !f.value(path+strings.ReplaceAll(name, ".", `\.`), level, level > 1 || !isEnvelope(name)) {
			return false
		}
	}
	_, err := f.d.Token()
	return err == nil
}

func (f *flattener) array(path string, level int, wanted bool) bool {
	for i := 0; f.d.More(); i++ {
		if !f.value(path+strconv.Itoa(i), level, wanted && i < maxElements) {
			return false
		}
	}
	_, err := f.d.Token()
	return err == nil
}

// value goes through one value, and keeps what it holds if that is wanted.
func (f *flattener) value(path string, level int, wanted bool) bool {
	token, err := f.d.Token()
	if err != nil || level > maxLevels {
		return false
	}
	wanted = wanted && len(f.all) < maxFlat && len(path) <= maxPath
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return f.object(path+".", level+1)
		}
		return f.array(path+".", level+1, wanted)
	case json.Number:
		if n, err := t.Float64(); wanted && err == nil {
			f.all = append(f.all, leaf{path, t.String(), n, true})
		}
	case string:
		if wanted {
			f.all = append(f.all, leaf{path: path, text: cut(t, maxValue)})
		}
	case bool:
		if wanted {
			f.all = append(f.all, leaf{path: path, text: strconv.FormatBool(t)})
		}
	}
	return true
}
