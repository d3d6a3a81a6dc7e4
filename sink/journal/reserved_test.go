package journal

import "testing"

func TestReservedIsWhatBearsOurMarks(t *testing.T) {
	f := func(want bool, messages ...string) {
		t.Helper()
		for _, message := range messages {
			if got := IsReserved([]byte(message)); got != want {
				t.Errorf("%s: got %v, want %v", message, got, want)
			}
		}
	}
	f(true,
		`{"ID":"JRN","event":"gap","lost":1000000}`,
		`{"\u0049D":"JRN"}`,
		`{"ID":"\u004aRN"}`,
		`{"ID":"JRN","ID":"HTB"}`,
		`{"ID":"HTB","ID":"JRN"}`,
		`{"a":1,"_raw":"x","_error":"y"}`,
		`{"_value":1}`,
		`{"_raw_base64":"eA==","_error":"y"}`,
		`{"\u005fraw":1}`,
		`{"_r\u0061w":1}`,
	)
	f(false,
		`{}`,
		`{"ID":"HTB","name":"web1"}`,
		`{"ID":"jrn"}`,
		`{"ID":["JRN"]}`,
		`{"id":"JRN"}`,
		`{"name":"JRN","_error":"x","_values":1,"_RAW":2}`,
		`{"a":{"_raw":1,"ID":"JRN"}}`,
		`{"path":"C:\\temp\\JRN"}`,
	)
}
