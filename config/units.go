package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. As text it is a plain number, or one with a unit: kB MB GB TB count in thousands, KiB MiB
// GiB TiB in 1024s. Case and a space before the unit do not matter, and 1.5GB is allowed.
type Size int64

// Units of Size.
const (
	KB Size = 1000
	MB      = 1000 * KB
	GB      = 1000 * MB
	TB      = 1000 * GB

	KiB Size = 1 << 10
	MiB      = 1 << 10 * KiB
	GiB      = 1 << 10 * MiB
	TiB      = 1 << 10 * GiB
)

type unit struct {
	name  string
	bytes Size
}

// sizeUnits go from large to small, so that the first that divides a size prints it shortest.
func sizeUnits() []unit {
	return []unit{
		{"TiB", TiB},
		{"GiB", GiB},
		{"MiB", MiB},
		{"KiB", KiB},
		{"TB", TB},
		{"GB", GB},
		{"MB", MB},
		{"kB", KB},
		{"B", 1},
	}
}

// UnmarshalText reads a size; see Size.
func (s *Size) UnmarshalText(text []byte) error {
	number, per := strings.TrimSpace(string(text)), Size(1)
	for _, u := range sizeUnits() {
		if at := len(number) - len(u.name); at > 0 && strings.EqualFold(number[at:], u.name) {
			number, per = strings.TrimSpace(number[:at]), u.bytes
			break
		}
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n > math.MaxInt64/int64(per) || n < math.MinInt64/int64(per) {
			return errors.New("is too large")
		}
		*s = Size(n) * per
		return nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(f) || per == 1 || strings.ContainsAny(number, "eEpPxX_") {
		return errors.New("is no size")
	}
	if math.Abs(f*float64(per)) >= math.MaxInt64 {
		return errors.New("is too large")
	}
	*s = Size(math.Round(f * float64(per)))
	return nil
}

// String prints the size with the largest unit that divides it, as 100MiB, 100MB or 1234.
func (s Size) String() string {
	for _, u := range sizeUnits() {
		if s != 0 && s%u.bytes == 0 && u.bytes > 1 {
			return fmt.Sprintf("%d%s", int64(s/u.bytes), u.name)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText prints what String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Duration is a time.Duration, as text the way Go writes it: 500ms, 10s, 1h30m. Whole days of 24 hours are 30d.
type Duration time.Duration

const hoursOfDay = 24 * time.Hour

// UnmarshalText reads a duration with its unit.
func (d *Duration) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err == nil {
			*d = Duration(time.Duration(n) * hoursOfDay)
			return nil
		}
	}
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New("is no duration with a unit")
	}
	*d = Duration(v)
	return nil
}

// String prints the duration without the zeros that time.Duration ends in, 1m and not 1m0s, and days from two on.
func (d Duration) String() string {
	if days := time.Duration(d) / hoursOfDay; days > 1 && time.Duration(d)%hoursOfDay == 0 {
		return fmt.Sprintf("%dd", int64(days))
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText prints what String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Period is how often something is done by the wall clock: hour, day, week, or another duration; 0 is off.
type Period time.Duration

// UnmarshalText reads off, hour, day, week, or a duration.
func (p *Period) UnmarshalText(text []byte) error {
	switch string(text) {
	case "off", "0":
		*p = 0
	case "hour":
		*p = Period(time.Hour)
	case "day":
		*p = Period(hoursOfDay)
	case "week":
		*p = Period(7 * hoursOfDay)
	default:
		var d Duration
		if err := d.UnmarshalText(text); err != nil || d < Duration(time.Second) {
			return errors.New("is neither off, hour, day, week, nor a duration from 1s up")
		}
		*p = Period(d)
	}
	return nil
}

// String prints off, hour, day, week, or the duration.
func (p Period) String() string {
	switch time.Duration(p) {
	case 0:
		return "off"
	case time.Hour:
		return "hour"
	case hoursOfDay:
		return "day"
	case 7 * hoursOfDay:
		return "week"
	}
	return Duration(p).String()
}

// MarshalText prints what String does.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Mode is the permission bits of a file, as text in octal: 0640.
type Mode fs.FileMode

// UnmarshalText reads octal digits, with or without a leading 0 or 0o.
func (m *Mode) UnmarshalText(text []byte) error {
	digits := strings.TrimPrefix(strings.TrimPrefix(string(text), "0o"), "0O")
	v, err := strconv.ParseUint(digits, 8, 32)
	if err != nil {
		return errors.New("is no octal mode")
	}
	*m = Mode(v)
	return nil
}

// String prints the mode as 0640.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// MarshalText prints what String does.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Fsync says how often lines are forced to the disk: a time between, FsyncNever or FsyncAlways.
type Fsync time.Duration

// Values of Fsync that are no time; as text they are never and always.
const (
	FsyncNever  Fsync = -1
	FsyncAlways Fsync = -2
)

// UnmarshalText reads never, always, or a duration.
func (f *Fsync) UnmarshalText(text []byte) error {
	switch string(text) {
	case "never":
		*f = FsyncNever
	case "always":
		*f = FsyncAlways
	default:
		var d Duration
		if err := d.UnmarshalText(text); err != nil || d <= 0 {
			return errors.New("is neither never, always, nor a duration above 0")
		}
		*f = Fsync(d)
	}
	return nil
}

// String prints never, always, or the duration.
func (f Fsync) String() string {
	switch f {
	case FsyncNever:
		return "never"
	case FsyncAlways:
		return "always"
	}
	return Duration(f).String()
}

// MarshalText prints what String does.
func (f Fsync) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// text spells a field's value the way that the parser reads it back.
func text(field reflect.Value) string {
	return fmt.Sprint(field.Interface())
}

// allowed says what the parser accepts for a field of this type.
func allowed(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Size]():
		return "a number of bytes, or one with a unit such as MB or MiB"
	case reflect.TypeFor[Duration]():
		return "a duration with its unit, ms, s, m, h or d"
	case reflect.TypeFor[Period]():
		return "off, hour, day, week, or a duration with its unit"
	case reflect.TypeFor[Fsync]():
		return "never, always, or a duration with its unit"
	case reflect.TypeFor[Mode]():
		return "permission bits in octal"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list of texts, or one text with commas between"
	default:
		return "text"
	}
}
