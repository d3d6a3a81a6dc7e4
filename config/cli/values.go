package cli

import (
	"encoding/csv"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// errEmptyValue is the fault of a flag that was given nothing: a variable of a script that is unset, most of the time. To
// take it for a flag that was not given would select everything.
var errEmptyValue = errors.New("it is empty; leave the flag out, or give a value")

// oneText is the value of a flag that takes a text, which cannot be empty.
type oneText struct{ text *string }

var _, _, _ pflag.Value = (*oneText)(nil), (*someTexts)(nil), (*limit)(nil)

// Set implements pflag.Value.
func (v *oneText) Set(text string) error {
	if strings.TrimSpace(text) == "" {
		return errEmptyValue
	}
	*v.text = text
	return nil
}

// String implements pflag.Value.
func (v *oneText) String() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// Type implements pflag.Value.
func (*oneText) Type() string { return "string" }

// someTexts is the value of a flag that may be given more than once, none of its texts empty.
type someTexts struct {
	texts  *[]string
	commas bool // they separate texts
}

// Set implements pflag.Value.
func (v *someTexts) Set(text string) error {
	texts := []string{text}
	if v.commas && text != "" {
		var err error
		if texts, err = csv.NewReader(strings.NewReader(text)).Read(); err != nil {
			return err
		}
	}
	for _, text := range texts {
		if text == "" {
			return errEmptyValue
		}
	}
	*v.texts = append(*v.texts, texts...)
	return nil
}

// String implements pflag.Value.
func (v *someTexts) String() string {
	if v.texts == nil {
		return ""
	}
	return strings.Join(*v.texts, ",")
}

// Type implements pflag.Value.
func (*someTexts) Type() string { return "strings" }

// everything is the limit that is none.
const everything = -1

// limit is the value of a flag that takes how many of something are wanted.
type limit struct{ n *int }

// Set implements pflag.Value.
func (v *limit) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return errors.New("give a number, 0 or more")
	}
	*v.n = n
	return nil
}

// String implements pflag.Value.
func (v *limit) String() string {
	if v.n == nil || *v.n == everything {
		return ""
	}
	return strconv.Itoa(*v.n)
}

// Type implements pflag.Value.
func (*limit) Type() string { return "int" }
