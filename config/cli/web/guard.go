package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// policy is the Content-Security-Policy of all pages but the report, which brings its own.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// guard lets through what may be answered.
type guard struct {
	next    http.Handler
	names   map[string]bool // that the server is asked by, in lower case
	token   [sha256.Size]byte
	locked  bool // a token is asked for
	guesses *guesses
}

func newGuard(opt Options, next http.Handler) *guard {
	g := &guard{
		next: next, names: map[string]bool{"localhost": true}, locked: opt.Token != "", token: sha256.Sum256([]byte(opt.Token)),
		guesses: newGuesses(opt.Now),
	}
	for _, name := range opt.Hosts {
		g.names[strings.ToLower(strings.TrimSuffix(name, "."))] = true
	}
	return g
}

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	if extend(w) != nil {
		return // The connection is gone already.
	}
	switch {
	case !g.knows(r.Host):
		writeText(w, http.StatusMisdirectedRequest, "this server is not known as "+strconv.QuoteToASCII(cut(r.Host, 100))+": ask for it by its address, or name it in web_hosts")
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		writeText(w, http.StatusMethodNotAllowed, "only GET is answered: nothing can be changed here")
	case r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate":
		writeText(w, http.StatusForbidden, "another site may link here, and no more")
	case r.URL.Path == "/healthz" || !g.locked:
		g.next.ServeHTTP(w, r)
	default:
		g.login(w, r)
	}
}

func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// knows reports whether host is one of our names, or an address: a name that an attacker lets point to us is neither.
func (g *guard) knows(host string) bool {
	name := host
	if without, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
		name = without
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		name, ok = strings.CutSuffix(inner, "]")
		if !ok {
			return false
		}
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Zone() == ""
	}
	return g.names[strings.ToLower(strings.TrimSuffix(name, "."))]
}

// login lets those through who give the token, as Bearer or as the password of any user. After a wrong one, the network
// that it came from is not listened to for a moment.
func (g *guard) login(w http.ResponseWriter, r *http.Request) {
	given, ok := credential(r)
	if !ok {
		refuse(w)
		return
	}
	right, wait := g.guesses.try(r.RemoteAddr, func() bool {
		sum := sha256.Sum256([]byte(given))
		return subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
	})
	switch {
	case right:
		g.next.ServeHTTP(w, r)
	case wait > 0:
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		writeText(w, http.StatusTooManyRequests, "a wrong token was given from this address: wait a moment")
	default:
		refuse(w)
	}
}

func refuse(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="hbjournal", charset="UTF-8"`)
	writeText(w, http.StatusUnauthorized, "give the token of web_token_file: as the password of any user, or as Authorization: Bearer")
}

// credential is what the request gives for a token.
func credential(r *http.Request) (string, bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
	}
	const bearer = "bearer "
	header := r.Header.Get("Authorization")
	if len(header) > len(bearer) && strings.EqualFold(header[:len(bearer)], bearer) {
		return strings.TrimSpace(header[len(bearer):]), true
	}
	return "", false
}
