package journal

import (
	"math"
	"strconv"
)

// AppendSeconds appends Unix milliseconds as seconds with exactly three decimals. It works on integers, since floating
// point would not keep the last digit.
func AppendSeconds(dst []byte, millis int64) []byte {
	if millis < 0 {
		dst = append(dst, '-')
		millis = -millis
	}
	dst = strconv.AppendInt(dst, millis/1000, 10)
	rest := millis % 1000
	return append(dst, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
}

// parseSeconds reads a JSON number of Unix seconds, in milliseconds; false: it is none that a journal could have. It is the
// inverse of AppendSeconds, and takes other decimals and exponents too. What is finer than a millisecond is cut off, since
// floating point would not keep the last digit of the others.
func parseSeconds(number []byte) (millis int64, ok bool) {
	digits := number
	negative := len(digits) > 0 && digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	seconds, rest, ok := cutDigits(digits)
	if !ok {
		return 0, false
	}
	fraction := int64(0)
	if len(rest) > 0 && rest[0] == '.' {
		fraction, rest, ok = cutThousandths(rest[1:])
	}
	if !ok || len(rest) > 0 {
		return parseFloatSeconds(number)
	}
	millis = seconds*1000 + fraction
	if negative {
		millis = -millis
	}
	return millis, true
}

// cutThousandths reads the digits behind a decimal point, the first three of them as a number.
func cutThousandths(b []byte) (thousandths int64, rest []byte, ok bool) {
	width := 0
	for scale := int64(100); width < len(b) && isDigit(b[width]); width++ {
		thousandths += int64(b[width]-'0') * scale
		scale /= 10
	}
	return thousandths, b[width:], width > 0
}

// parseFloatSeconds is parseSeconds for numbers with an exponent.
func parseFloatSeconds(number []byte) (millis int64, ok bool) {
	const most = 1e15 // As cutDigits has it.
	f, err := strconv.ParseFloat(string(number), 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) >= most {
		return 0, false
	}
	return int64(math.Round(f * 1000)), true
}

// cutDigits reads up to 15 digits, so that milliseconds made from them cannot overflow.
func cutDigits(b []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && i < 15 && b[i]-'0' <= 9 {
		n = n*10 + int64(b[i]-'0')
		i++
	}
	return n, b[i:], i > 0
}
