package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/itchyny/gojq"
	"github.com/tidwall/gjson"

	"hbjournal/sink/journal"
)

// jqProgram is a compiled --jq expression. It may be used by several goroutines.
type jqProgram struct{ code *gojq.Code }

// compileJQ compiles an expression; nil for none.
func compileJQ(expression string) (*jqProgram, error) {
	if expression == "" {
		return nil, nil
	}
	query, err := gojq.Parse(expression)
	if err == nil {
		var code *gojq.Code
		if code, err = gojq.Compile(query); err == nil {
			return &jqProgram{code}, nil
		}
	}
	message := fmt.Sprintf("--jq %q: %v", expression, err)
	var syntax *gojq.ParseError
	if errors.As(err, &syntax) {
		message += fmt.Sprintf(", at byte %d", syntax.Offset)
	}
	return nil, &usageError{errors.New(message), `for example --jq 'select(.message.cpu_percent > 90)'`}
}

// jqResult is one value that the expression gave.
type jqResult struct {
	entry bool // the entry itself came back, as select gives it
	text  any
}

// run gives the values of the expression for an entry. A value that is the whole entry is not made anew: the entry is
// then used as it stands in the journal.
func (p *jqProgram) run(e *journal.Entry) (results []jqResult, err error) {
	input := decodeJSON(gjson.ParseBytes(e.Line))
	values := p.code.Run(input)
	for value, ok := values.Next(); ok; value, ok = values.Next() {
		if err, failed := value.(error); failed {
			if halt := (*gojq.HaltError)(nil); errors.As(err, &halt) && halt.Value() == nil {
				return results, nil
			}
			return results, fmt.Errorf("--jq: %s", visible(err.Error()))
		}
		results = append(results, jqResult{isSame(value, input), value})
	}
	return results, nil
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
	if text, ok := r.text.(string); ok && raw {
		return append(append(dst, text...), '\n'), nil
	}
	text, err := gojq.Marshal(r.text)
	return append(append(dst, text...), '\n'), err
}
