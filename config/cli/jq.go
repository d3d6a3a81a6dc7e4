package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/itchyny/gojq"
	"github.com/tidwall/gjson"

	"hbjournal/sink/journal"
)

// jqProgram is a compiled --jq expression. It may be used by several goroutines.
type jqProgram struct {
	code *gojq.Code
	from bool // the entry has a field for its receiver
}

// compileJQ compiles an expression; nil for none.
func compileJQ(expression string, from bool) (*jqProgram, error) {
	if expression == "" {
		return nil, nil
	}
	query, err := gojq.Parse(expression)
	if err == nil {
		var code *gojq.Code
		if code, err = gojq.Compile(query); err == nil {
			return &jqProgram{code, from}, nil
		}
	}
	message := fmt.Sprintf("--jq %q: %v", expression, err)
	var syntax *gojq.ParseError
	if errors.As(err, &syntax) {
		message += fmt.Sprintf(", at byte %d", syntax.Offset)
	}
	return nil, &usageError{errors.New(message), `for example --jq 'select(.message.cpu_percent > 90)'`}
}

// jqValues are the values that the expression gives for an entry, one after another: there may be any number of them.
type jqValues struct {
	iter  gojq.Iter
	input any
}

// jqResult is one value that the expression gave.
type jqResult struct {
	entry bool // the entry itself came back, as select gives it
	value any
}

// values starts the expression on an entry, until ctx ends. A value that is the whole entry is not made anew: the entry is
// then used as it stands in the journal.
func (p *jqProgram) values(ctx context.Context, e *journal.Entry) *jqValues {
	line := e.Line
	if p.from {
		line = appendFrom(nil, e)
	}
	input := decodeJSON(gjson.ParseBytes(line))
	return &jqValues{p.code.RunWithContext(ctx, input), input}
}

// next gives the next value; false after the last one.
func (v *jqValues) next() (jqResult, bool, error) {
	value, ok := v.iter.Next()
	if !ok {
		return jqResult{}, false, nil
	}
	err, failed := value.(error)
	if !failed {
		return jqResult{isSame(value, v.input), value}, true, nil
	}
	switch halt := (*gojq.HaltError)(nil); {
	case errors.As(err, &halt) && halt.Value() == nil:
		return jqResult{}, false, nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return jqResult{}, false, err
	}
	return jqResult{}, false, fmt.Errorf("--jq: %s", visible(err.Error()))
}

// decodeJSON makes of valid JSON what gojq works on. Numbers stay as they are written. It is several times faster than
// encoding/json, which would check everything again.
func decodeJSON(value gjson.Result) any {
	switch {
	case value.IsObject():
		object := map[string]any{}
		value.ForEach(func(key, member gjson.Result) bool {
			object[key.String()] = decodeJSON(member)
			return true
		})
		return object
	case value.IsArray():
		array := []any{}
		value.ForEach(func(_, element gjson.Result) bool {
			array = append(array, decodeJSON(element))
			return true
		})
		return array
	case value.Type == gjson.Number:
		return json.Number(value.Raw)
	}
	return value.Value() // A string, true, false or nil.
}

func isSame(value, input any) bool {
	m, ok := value.(map[string]any)
	return ok && reflect.ValueOf(m).Pointer() == reflect.ValueOf(input).Pointer()
}

// appendTo appends the value as jq -c prints it; raw leaves the quotes off a string, as jq -r does.
func (r jqResult) appendTo(dst []byte, raw bool) ([]byte, error) {
	if text, ok := r.value.(string); ok && raw {
		return append(append(dst, text...), '\n'), nil
	}
	text, err := gojq.Marshal(r.value)
	return append(append(dst, text...), '\n'), err
}
