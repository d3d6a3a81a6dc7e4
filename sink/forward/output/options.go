package output

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// options are the options of one URL while they are read. Each is asked for once, with its default; end then knows which
// there are, and names those given that nobody asked for. No value is ever repeated in an error: it may be a secret.
type options struct {
	values url.Values
	known  []string
	faults []error
}

// secrets are options that people try, and the one to use instead: secrets come from files.
var secrets = map[string]string{
	"password": "password_file", "pass": "password_file", "token": "token_file", "api_key": "api_key_file", "apikey": "api_key_file",
	"secret": "token_file", "access_token": "token_file", "creds": "creds_file", "nkey": "nkey_file", "authorization": "header_file",
}

func (o *options) text(key, def string) string {
	o.known = append(o.known, key)
	given := o.values[key]
	switch {
	case len(given) > 1:
		o.wrong(key, "given once")
	case len(given) == 1 && given[0] != "":
		return given[0]
	}
	return def
}

// list takes an option that may be given more than once.
func (o *options) list(key string) []string {
	o.known = append(o.known, key)
	return o.values[key]
}

func (o *options) choice(key, def string, allowed ...string) string {
	text := o.text(key, def)
	if !slices.Contains(allowed, text) {
		o.wrong(key, "one of "+strings.Join(allowed, ", "))
	}
	return text
}

// flag takes true or false, which is what an option that is not given means.
func (o *options) flag(key string) bool {
	return o.choice(key, "false", "true", "false") == "true"
}

// number takes a whole number that is not negative.
func (o *options) number(key string, def int) int {
	n, err := strconv.Atoi(o.text(key, strconv.Itoa(def)))
	if err != nil || n < 0 {
		o.wrong(key, "a whole number")
	}
	return n
}

// size takes bytes, such as 512KiB.
func (o *options) size(key string, def int64) int64 {
	n, err := humanize.ParseBytes(o.text(key, strconv.FormatInt(def, 10)))
	if err != nil || n > 1<<40 {
		o.wrong(key, "a size such as 512KiB")
		return def
	}
	return int64(n)
}

func (o *options) duration(key string, def time.Duration) time.Duration {
	d, err := time.ParseDuration(o.text(key, def.String()))
	if err != nil || d < 0 {
		o.wrong(key, "a duration such as 30s")
	}
	return d
}

func (o *options) wrong(key, want string) {
	o.faults = append(o.faults, fmt.Errorf("%s must be %s", key, want))
}

// fault adds what else is wrong.
func (o *options) fault(format string, args ...any) {
	o.faults = append(o.faults, fmt.Errorf(format, args...))
}

// end returns all that is wrong, once everything was asked for.
func (o *options) end() error {
	given := make([]string, 0, len(o.values))
	for key := range o.values {
		given = append(given, key)
	}
	slices.Sort(given)
	slices.Sort(o.known)
	for _, key := range given {
		if slices.Contains(o.known, key) {
			continue
		}
		if file, ok := secrets[strings.ToLower(key)]; ok {
			o.fault("%s= would show a secret; put it into a file and give %s=", key, file)
			continue
		}
		o.fault("unknown option %q; there are %s", key, strings.Join(slices.Compact(o.known), ", "))
	}
	return errors.Join(o.faults...)
}
