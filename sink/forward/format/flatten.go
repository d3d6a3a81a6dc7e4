package format

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"hbjournal/sink/journal"
)

// maxFields bounds the fields that a form gives of one message: Elasticsearch takes 1,000 in a whole index. The message
// itself is there whole, whatever is left out here.
const maxFields = 256

// maxFieldName bounds the length of a field's name.
const maxFieldName = 128

// flat is one field of a message.
type flat struct {
	name  string // the path with dots (disk.0.used), of letters, digits and _ . - only
	value string // JSON text of a string, a finite number, true or false
}

// flatten gives the fields of a message by their paths, in the order in which they first stand there. Null and empty
// containers are left out; of a key that stands twice the last value counts. Two paths that look the same once they are
// made safe, or like one of taken, get a number behind them.
func flatten(message []byte, taken ...string) []flat {
	f := flattener{at: make(map[string]int), used: make(map[string]bool)}
	for _, name := range taken {
		f.used[name] = true
	}
	f.walk("", gjson.ParseBytes(message))
	return f.fields
}

type flattener struct {
	fields []flat
	at     map[string]int  // path -> index in fields
	used   map[string]bool // names given
}

func (f *flattener) walk(path string, value gjson.Result) {
	if value.IsObject() {
		for _, m := range journal.AppendMembers(nil, []byte(value.Raw)) {
			if !f.step(path, m.Name, gjson.ParseBytes(m.Value)) {
				return
			}
		}
		return
	}
	index := 0
	value.ForEach(func(_, element gjson.Result) bool {
		index++
		return f.step(path, strconv.Itoa(index-1), element)
	})
}

// step walks what stands under name in path, and reports whether there is room for more.
func (f *flattener) step(path, name string, member gjson.Result) bool {
	if path != "" {
		name = path + "." + name
	}
	if member.IsObject() || member.IsArray() {
		f.walk(name, member)
	} else {
		f.add(name, member)
	}
	return len(f.fields) < maxFields
}

func (f *flattener) add(path string, value gjson.Result) {
	text := value.Raw
	switch value.Type {
	case gjson.Null:
		return
	case gjson.Number:
		if math.IsInf(value.Num, 0) {
			text = `"` + text + `"`
		}
	}
	if i, ok := f.at[path]; ok {
		f.fields[i].value = text
		return
	}
	f.at[path] = len(f.fields)
	f.fields = append(f.fields, flat{f.unused(safeName(path)), text})
}

// unused returns name, with a number behind it if another path has that name already.
func (f *flattener) unused(name string) string {
	free := name
	for n := 2; f.used[free]; n++ {
		free = name + "_" + strconv.Itoa(n)
	}
	f.used[free] = true
	return free
}

// safeName replaces what is no letter, digit, _ . or - in ASCII, and cuts what is too long.
func safeName(path string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '-':
			return r
		}
		return '_'
	}, path)
	if safe == "" {
		return "_"
	}
	return safe[:min(len(safe), maxFieldName)]
}
