package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"hbjournal/ingest"
)

// Web is the live page as the settings have it. It is a process of its own: nothing that is wrong with it loses a message, and none
// of its rows fails.
type Web struct {
	Addr      string // host:port; "": its rows are skipped
	Loopback  bool   // only this machine can reach it
	TokenFile string
	Cert, Key string // files of TLS

	// Token reads the token as the page does; its error is why the page does not start. Nil: there is none to read.
	Token func() error
}

func webChecks() []check {
	all := []check{
		{"web-address", "web", (*examination).webAddress},
		{"web-token", "web", (*examination).webToken},
		{"web-tls", "web", (*examination).webTLS},
	}
	for i, c := range all {
		all[i].look = func(e *examination) Row {
			if e.Web.Addr == "" {
				return skip("web_addr is not known")
			}
			return c.look(e)
		}
	}
	return all
}

// webAddress looks whether the page can have its address, or has it.
func (e *examination) webAddress() Row {
	return e.address(service{addr: e.Web.Addr, command: "web", what: "the live page", instead: "export WEB_ADDR=127.0.0.1:9514", row: "web-address"})
}

// service is a process beside the daemon that answers over TCP.
type service struct {
	addr    string
	command string // of hbjournal
	what    string
	instead string // to take another address
	row     string // that looks at it
}

// address looks whether the service can have its address, or has it.
func (e *examination) address(of service) Row {
	bindable, err := ingest.Resolve("tcp", of.addr)
	if err != nil {
		return Row{Status: Warn, Measured: of.what + " would not start: " + err.Error(), Cure: of.instead}
	}
	for _, s := range e.tcpListeners() {
		if meets(bindable.IP, bindable.Port, s) {
			return e.heldBy(of, s)
		}
	}
	_, err = bindable.Bind(func(network, addr string) error {
		listener, err := net.Listen(network, addr)
		if err != nil {
			return err
		}
		return listener.Close()
	})
	switch {
	case err == nil:
		return Row{Status: OK, Measured: of.addr + " is free"}
	case errors.Is(err, syscall.EADDRINUSE):
		return Row{Status: Note, Measured: of.addr + " is held by something that this user cannot see", Cure: e.asRoot("hbjournal doctor --only " + of.row)}
	}
	return Row{Status: Warn, Measured: fmt.Sprintf("%s would not start: uid %d: %v", of.what, e.UID, err), Cure: of.instead}
}

// tcpListeners are the TCP sockets that connections are accepted on, as far as they are shown.
func (e *examination) tcpListeners() (all []udpSocket) {
	const listening = "0A"
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		rows, _ := fields(e.proc(name)) // Without them, only binding tells.
		for _, row := range rows {
			if s, ok := parseSocket(row); ok && row[3] == listening {
				all = append(all, s)
			}
		}
	}
	return all
}

// heldBy is the row of an address that a socket has already: that of the service itself, or of something that is in its way.
func (e *examination) heldBy(of service, s udpSocket) Row {
	port := portOf(of.addr)
	cure := e.asRoot(fmt.Sprintf("ss -tlpn 'sport = :%s'", port)) + " # then stop it, or " + of.instead
	holders := e.holders(s.inode)
	var names []string
	for _, p := range holders {
		switch {
		case e.daemon().is(p.pid):
			return Row{Status: Warn, Measured: fmt.Sprintf("%s is held by the daemon, %v: its http_addr is the same", of.addr, p), Cure: of.instead}
		case p.pid == 1, e.runs(p, of.command):
			return Row{Status: OK, Measured: fmt.Sprintf("%s is held by %s, %v", of.addr, of.what, p)}
		}
		names = append(names, p.String())
	}
	if len(names) == 0 {
		return Row{
			Status: Note, Measured: fmt.Sprintf("%s is held by a process of uid %d, perhaps %s: that uid %d cannot see", of.addr, s.uid, of.what, e.UID),
			Cure: e.asRoot("hbjournal doctor --only " + of.row),
		}
	}
	return Row{Status: Warn, Measured: fmt.Sprintf("%s is held by %s: %s would not start", of.addr, strings.Join(names, " and "), of.what), Cure: cure}
}

// runs reports whether the process was called as this command of hbjournal.
func (e *examination) runs(p process, command string) bool {
	called, _ := os.ReadFile(e.proc(fmt.Sprintf("%d/cmdline", p.pid)))
	words := strings.Split(string(called), "\x00")
	return len(words) > 1 && slices.Contains(words[1:], command)
}

// webToken looks whether those who can reach the page are asked for a token, and who else can read that.
func (e *examination) webToken() Row {
	w := e.Web
	if w.Token != nil {
		if err := w.Token(); err != nil {
			return Row{
				Status: Warn, Measured: "the live page would not start: " + oneLine(err.Error()), Limit: "another address than loopback needs a token, or web_no_auth",
				Cure: "(umask 077; head -c 24 /dev/urandom | base64 > web.token); export WEB_TOKEN_FILE=$PWD/web.token",
			}
		}
	}
	if w.TokenFile == "" {
		if w.Loopback {
			return Row{Status: OK, Measured: "no token is asked for, and only this machine can reach " + w.Addr}
		}
		return Row{
			Status: Note, Measured: "everybody who can reach " + w.Addr + " may see all messages", Limit: "web_no_auth=true",
			Cure: "export WEB_NO_AUTH=false WEB_TOKEN_FILE=$PWD/web.token # unless something else keeps them out",
		}
	}
	return e.secretFile("web_token_file", w.TokenFile)
}

// secretFile looks who may read a file that only the page should.
func (e *examination) secretFile(setting, path string) Row {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return Row{Status: Warn, Measured: fmt.Sprintf("uid %d: %v", e.UID, err), Cure: "namei -l " + Quoted(path)}
	case info.Mode().Perm()&0o007 != 0:
		return Row{
			Status: Warn, Measured: fmt.Sprintf("%s %s has mode %04o: every user of this machine can use it", setting, path, info.Mode().Perm()),
			Limit: "not for others", Cure: "chmod o= " + Quoted(path),
		}
	}
	return Row{Status: OK, Measured: fmt.Sprintf("%s has mode %04o%s", path, info.Mode().Perm(), ownerText(info))}
}

// soonOver is how long before its end a certificate is worth a word.
const soonOver = 14 * 24 * time.Hour

// webTLS looks whether the certificate and its key can be used, and for how long.
func (e *examination) webTLS() Row {
	w := e.Web
	switch {
	case w.Cert == "" && w.Key == "" && w.Loopback:
		return skip("plain HTTP, on this machine only")
	case w.Cert == "" && w.Key == "":
		return Row{
			Status: Note, Measured: "plain HTTP: who is between can read the token and all messages",
			Cure: "export WEB_TLS_CERT=web.crt WEB_TLS_KEY=web.key # or a reverse proxy with TLS before it",
		}
	case w.Cert == "" || w.Key == "":
		return Row{Status: Warn, Measured: "the live page would not start: web_tls_cert and web_tls_key belong together, and one is missing", Cure: "hbjournal config --check"}
	}
	pair, err := tls.LoadX509KeyPair(w.Cert, w.Key)
	if err != nil {
		cure := "openssl x509 -noout -text -in " + Quoted(w.Cert)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			cure = fmt.Sprintf("namei -l %s %s", Quoted(w.Cert), Quoted(w.Key))
		}
		return Row{Status: Warn, Measured: fmt.Sprintf("the live page would not start: uid %d: %s", e.UID, oneLine(err.Error())), Cure: cure}
	}
	if row := e.secretFile("web_tls_key", w.Key); row.Status != OK {
		return row
	}
	return e.lifetime(pair.Leaf)
}

// lifetime is the row of a certificate that can be used.
func (e *examination) lifetime(leaf *x509.Certificate) Row {
	r := Row{Status: OK, Measured: "the certificate is good until " + leaf.NotAfter.UTC().Format(time.DateOnly)}
	left := leaf.NotAfter.Sub(e.Now())
	switch {
	case left <= 0:
		r.Status, r.Measured = Warn, "the certificate ended on "+leaf.NotAfter.UTC().Format(time.DateOnly)
	case e.Now().Before(leaf.NotBefore):
		r.Status, r.Measured = Warn, "the certificate begins on "+leaf.NotBefore.UTC().Format(time.DateOnly)+" only"
	case left < soonOver:
		r.Status = Note
	default:
		return r
	}
	r.Cure = "openssl x509 -noout -dates -in " + Quoted(e.Web.Cert) + " # then put a new one in its place, and start the page again"
	return r
}
