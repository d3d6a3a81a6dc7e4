package receivers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hbjournal/scripts/freeport"
)

// A daemon is a receiver that can be ended and started again.
type daemon interface {
	addr() string // host:port
	run()
	kill()
	term()
	texts() []string // one for each message that it has stored
}

// syslogDaemon is rsyslogd or syslog-ng. Both write a line a message: MSGID, HOSTNAME and MSG.
type syslogDaemon struct {
	t         testing.TB
	port      string
	transport string // udp, tcp or tls
	out       string // file that it writes
	environ   []string
	command   []string
	process   *process
}

func (d *syslogDaemon) addr() string { return "127.0.0.1:" + d.port }

func (d *syslogDaemon) run() {
	d.t.Helper()
	d.process = start(d.t, d.environ, d.command[0], d.command[1:]...)
	eventually(d.t, "a daemon that listens", func() bool {
		if d.process.hasEnded() {
			d.t.Fatalf("%s: %v\n%s", d.command[0], d.process.err, d.process.said())
		}
		return d.listens()
	})
}

// listens reports whether somebody has the port. Of UDP it asks the kernel, by trying to take it.
func (d *syslogDaemon) listens() bool {
	if d.transport == "udp" {
		conn, err := net.ListenPacket("udp", d.addr())
		if err == nil {
			conn.Close()
		}
		return err != nil
	}
	conn, err := net.Dial("tcp", d.addr())
	if err == nil {
		conn.Close()
	}
	return err == nil
}

func (d *syslogDaemon) kill() { d.process.kill() }

func (d *syslogDaemon) term() { d.process.term() }

func (d *syslogDaemon) texts() []string { return linesOf(d.t, d.out) }

func newRsyslog(t testing.TB, transport string) *syslogDaemon {
	return newRsyslogOf(t, transport, `%msgid%\t%hostname%\t%msg%\n`)
}

// newRawRsyslog writes messages as they came. A NUL ends one too, as in GELF.
func newRawRsyslog(t testing.TB, transport string) *syslogDaemon {
	return newRsyslogOf(t, transport, `%rawmsg%\n`)
}

func newRsyslogOf(t testing.TB, transport, line string) *syslogDaemon {
	path := rsyslogd(t)
	dir := t.TempDir()
	d := &syslogDaemon{t: t, port: freeport.Must(t).String(), transport: transport, out: filepath.Join(dir, "out")}
	modules := ""
	input := fmt.Sprintf("module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=%q ruleset=\"r\" addtlFrameDelimiter=\"0\")\n", d.port)
	drivers := ""
	switch transport {
	case "udp":
		input = strings.Replace(strings.ReplaceAll(input, "imtcp", "imudp"), ` addtlFrameDelimiter="0"`, "", 1)
	case "tls":
		root := unpackedRoot(t)
		found, err := filepath.Glob(filepath.Join(root, "usr/lib/*/rsyslog"))
		if err != nil || len(found) != 1 {
			t.Fatalf("no drivers of rsyslog in %s: %v", root, err)
		}
		own, _ := filepath.Glob("/usr/lib/*/rsyslog")
		modules = strings.Join(append(own, found...), ":")
		certs := certificates(t)
		drivers = fmt.Sprintf(" defaultNetstreamDriver=\"gtls\" defaultNetstreamDriverCAFile=%q defaultNetstreamDriverCertFile=%q defaultNetstreamDriverKeyFile=%q",
			filepath.Join(certs, "ca.crt"), filepath.Join(certs, "server.crt"), filepath.Join(certs, "server.key"))
		input = strings.Replace(input, `module(load="imtcp")`, `module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")`, 1)
		d.environ = []string{"CERTS=" + certs}
	}
	config := fmt.Sprintf("global(workDirectory=%q maxMessageSize=\"128k\"%s)\n", dir, drivers) +
		"main_queue(queue.timeoutShutdown=\"20000\")\n" + input +
		fmt.Sprintf("template(name=\"line\" type=\"string\" string=\"%s\")\n", line) +
		fmt.Sprintf("ruleset(name=\"r\") { action(type=\"omfile\" file=%q template=\"line\") }\n", d.out)
	file := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d.command = []string{path, "-n", "-f", file, "-i", filepath.Join(dir, "pid")}
	if modules != "" {
		d.command = append(d.command, "-M", modules)
	}
	d.run()
	return d
}

func newSyslogNG(t testing.TB, transport string) *syslogDaemon {
	root := unpackedRoot(t)
	dir := t.TempDir()
	d := &syslogDaemon{t: t, port: freeport.Must(t).String(), transport: transport, out: filepath.Join(dir, "out")}
	security := ""
	if transport == "tls" {
		certs := certificates(t)
		d.environ = []string{"CERTS=" + certs}
		security = fmt.Sprintf("tls(key-file(%q) cert-file(%q) ca-file(%q) peer-verify(required-trusted))",
			filepath.Join(certs, "server.key"), filepath.Join(certs, "server.crt"), filepath.Join(certs, "ca.crt"))
	}
	config := fmt.Sprintf(`@version: 3.38
options { keep-hostname(yes); log-msg-size(131072); use-dns(no); check-hostname(no); };
source s { syslog(ip("127.0.0.1") port(%s) transport(%q) %s); };
destination d { file(%q template("${MSGID:--}\t$HOST\t$MSG\n")); };
log { source(s); destination(d); flags(flow-control); };
`, d.port, transport, security, d.out)
	file := filepath.Join(dir, "syslog-ng.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d.environ = append(d.environ, "LD_LIBRARY_PATH="+filepath.Join(root, "usr/lib/syslog-ng")+":"+libraries(t, root))
	d.command = []string{
		filepath.Join(root, "usr/sbin/syslog-ng"), "-F", "--no-caps", "-f", file, "-R", filepath.Join(dir, "persist"),
		"-c", filepath.Join(dir, "ctl"), "-p", filepath.Join(dir, "pid"), "--module-path=" + filepath.Join(root, "usr/lib/syslog-ng/3.38"),
	}
	d.run()
	return d
}

// certs are the options that a sender needs of the certificates made for d.
func (d *syslogDaemon) options() string {
	for _, variable := range d.environ {
		if dir, ok := strings.CutPrefix(variable, "CERTS="); ok {
			return "?ca=" + dir + "/ca.crt&cert=" + dir + "/client.crt&key=" + dir + "/client.key"
		}
	}
	return ""
}

// daemons are all kinds of syslog daemon.
func daemons() map[string]func(testing.TB, string) *syslogDaemon {
	return map[string]func(testing.TB, string) *syslogDaemon{"rsyslog": newRsyslog, "syslog-ng": newSyslogNG}
}

func TestSyslogDaemonsStoreEachMessageWholeAndInOrder(t *testing.T) {
	for name, make := range daemons() {
		for _, transport := range []string{"udp", "tcp", "tls"} {
			t.Run(name+"/"+transport, func(t *testing.T) {
				t.Parallel()
				d := make(t, transport)
				b := newBook(t, 200)
				b.ship(t, "syslog+"+transport+"://"+d.addr()+d.options(), b.name())
				eventually(t, "all messages", func() bool { return len(d.texts()) >= len(b.messages) })
				for i, text := range d.texts() {
					if text != stored(b.messages[i]) {
						t.Errorf("message %d: got  %.300q\nwant %.300q", i, text, stored(b.messages[i]))
					}
				}
			})
		}
	}
}

var (
	named = regexp.MustCompile(`"name":"((?:[^"\\]|\\.)*)"`)
	kind  = regexp.MustCompile(`"ID":"((?:[^"\\]|\\.)*)"`)
)

// stored is what the daemons write of a message: MSGID, HOSTNAME, MSG.
func stored(message string) string {
	word := func(find *regexp.Regexp, none string) string {
		found := find.FindStringSubmatch(message)
		if found == nil {
			return none
		}
		safe := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\r`, "_", `\n`, "_", " ", "_").Replace(found[1])
		return strings.Map(func(r rune) rune {
			if r < '!' || r > '~' {
				return '_'
			}
			return r
		}, safe)
	}
	return word(kind, "-") + "\t" + word(named, "192.0.2.7") + "\t" + message
}
