package journal

import (
	"bytes"
	"strconv"
)

// Number returns the value of a JSON number, and reports whether value is one that a float64 can hold.
func Number(value []byte) (float64, bool) {
	if !IsNumber(value) {
		return 0, false
	}
	if f, ok := shortNumber(value); ok {
		return f, true
	}
	f, err := strconv.ParseFloat(string(value), 64)
	return f, err == nil
}

// shortNumber is Number for what nearly all values are: a few digits, with or without a sign and a decimal point. Up to
// 15 digits and powers of ten up to 10^22 are exact as float64, so their quotient is rounded once, as it should be.
func shortNumber(value []byte) (float64, bool) {
	const most = 15
	powers := [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}
	digits := value
	if digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > most {
		return 0, false
	}
	mantissa, point := int64(0), len(digits)-1
	for i, c := range digits {
		switch {
		case isDigit(c):
			mantissa = mantissa*10 + int64(c-'0')
		case c == '.' && point == len(digits)-1:
			point = i
		default:
			return 0, false
		}
	}
	f := float64(mantissa) / powers[len(digits)-1-point]
	if value[0] == '-' {
		f = -f
	}
	return f, true
}

// TextBytes is Text without an allocation, but for a string with escapes: the result is a part of value.
func TextBytes(value []byte) []byte {
	switch {
	case isNull(value):
		return nil
	case len(value) < 2 || value[0] != '"':
		return value
	case bytes.IndexByte(value, '\\') >= 0:
		return []byte(Text(value))
	}
	return value[1 : len(value)-1]
}
