package journal

import "testing"

func TestOriginalIsWhatCame(t *testing.T) {
	f := func(message, want string) {
		t.Helper()
		got, err := AppendOriginal(nil, []byte(message))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q and %v, want %q", message, got, err, want)
		}
	}
	f(`{"ID":"HTB","f":1.0}`, `{"ID":"HTB","f":1.0}`)
	f(`{}`, `{}`)
	f(`{"_value":[1,2]}`, `[1,2]`)
	f(`{"_value":"a"}`, `"a"`)
	f(`{"_raw":"a\n\u0000\"","_error":"no JSON"}`, "a\n\x00\"")
	f(`{"_raw_base64":"//79","_error":"no JSON"}`, "\xff\xfe\xfd")
	f(`{"_raw_base64":"","_error":"empty"}`, "")
	f(`{"_raw":"a"}`, `{"_raw":"a"}`)
	f(`{"_raw":"a","_error":"b","c":1}`, `{"_raw":"a","_error":"b","c":1}`)
	f(`{"_value":1,"b":2}`, `{"_value":1,"b":2}`)
	f(`{"_value":{"ID":"JRN"},"_error":"reserved"}`, `{"ID":"JRN"}`)
	f(`{"_value":{"ID":"JRN"},"_error":"x"}`, `{"_value":{"ID":"JRN"},"_error":"x"}`)
	f(`{"ID":"PLG","cpu":null,"_raw":"{\"ID\":\"PLG\",\"cpu\":NaN}","_error":"not a JSON number: NaN or Infinity"}`, `{"ID":"PLG","cpu":NaN}`)
}

func TestOriginalOfBrokenBase64IsAnError(t *testing.T) {
	if got, err := AppendOriginal(nil, []byte(`{"_raw_base64":"*","_error":"x"}`)); err == nil {
		t.Errorf("got %q, want an error", got)
	}
}
