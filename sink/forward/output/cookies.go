package output

import (
	"net/http"
	"net/url"
	"time"
)

// fewCookies is the cookie jar of a client that speaks with one receiver, from one goroutine. The jar of package http keeps whatever
// a receiver says, without a bound.
type fewCookies struct{ all []*http.Cookie }

// The bounds of a jar.
const (
	maxCookies = 16
	maxCookie  = 4 << 10 // bytes of a name and its value
)

// SetCookies implements http.CookieJar.
func (j *fewCookies) SetCookies(_ *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		rest := j.all[:0]
		for _, old := range j.all {
			if old.Name != c.Name {
				rest = append(rest, old)
			}
		}
		j.all = rest
		over := c.MaxAge < 0 || c.MaxAge == 0 && !c.Expires.IsZero() && c.Expires.Before(time.Now())
		if !over && len(j.all) < maxCookies && len(c.Name)+len(c.Value) <= maxCookie {
			j.all = append(j.all, &http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
}

// Cookies implements http.CookieJar.
func (j *fewCookies) Cookies(*url.URL) []*http.Cookie { return j.all }
