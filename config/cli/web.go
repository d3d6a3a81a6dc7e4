package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"hbjournal/config"
	"hbjournal/config/cli/doctor"
	"hbjournal/config/cli/report"
	"hbjournal/config/cli/status"
	"hbjournal/config/cli/web"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
	"hbjournal/sink/journal/read"
)

const webLong = "Serve a page that shows who is silent now and since when, what was lost, a map of the heartbeats, and the messages as they\n" +
	"come. It follows the journal of the configuration, or those of the DIRs, in a process of its own.\n\n" +
	"It is on loopback unless WEB_ADDR says otherwise. Another address needs a token in WEB_TOKEN_FILE, which is asked for as the\n" +
	"password of any user, or WEB_NO_AUTH=true, with which everybody who can reach it may see all messages."

const webExample = `  # then open http://127.0.0.1:9504
  hbjournal web
  # a fleet: a journal in a directory for each receiver
  hbjournal web /srv/hb
  # for others too, with a password
  head -c 24 /dev/urandom | base64 > web.token
  hbjournal web --web-addr :9504 --web-token-file web.token`

// webMemory is from where on the collector works harder, so that 16,384 hosts take 128 MiB at most.
const webMemory = 100 << 20

// webCommand is one run of `web`.
type webCommand struct {
	*selection
	args    []string
	path    string // of the one that is named, or configured
	pending bool   // there was no journal at the start: it is open whether there will be one or a fleet
}

func newWeb(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "web [DIR...]",
		Short:   "Serve the live page: who is silent now, since when, what was lost, and the messages as they come",
		Long:    webLong,
		Example: webExample,
	}
	s := &selection{environ: env}
	s.addIdentity(cmd)
	s.settings = addSettings(cmd, "web_addr", "web_hosts", "web_token_file", "web_no_auth", "web_tls_cert", "web_tls_key", "web_host_metrics",
		"journal_dir", "journal_file", "journal_local_time", "journal_enabled", "http_addr", "log_level", "log_format", "log_file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return (&webCommand{selection: s, args: args}).run(cmd.Context())
	}
	return cmd
}

func (c *webCommand) run(ctx context.Context) error {
	if err := c.choose(); err != nil {
		return err
	}
	if !follows(c.options) {
		return &usageError{errors.New("web follows journals: name their directories or live files, or none"), "see 'hbjournal web --help'"}
	}
	makeWhole(&c.options)
	c.awaitReceivers(&c.options)
	token, err := webToken(c.cfg.Config)
	if err != nil {
		return err
	}
	if cfg := c.cfg.Config; (cfg.WebTLSCert == "") != (cfg.WebTLSKey == "") {
		return &usageError{errors.New("web_tls_cert and web_tls_key belong together, and one is missing"), "give both, or neither for plain HTTP"}
	}
	log, err := openLog(c.cfg.Config, c.environ)
	if err != nil {
		return err
	}
	defer log.Close()
	opt := c.webOptions(token, log.Logger)
	server, err := web.Listen(opt)
	if err != nil {
		return &hintedError{err, "set WEB_ADDR to another address, such as WEB_ADDR=127.0.0.1:9514, and give readable files for TLS"}
	}
	scheme := "http"
	if server.Secure() {
		scheme = "https"
	}
	log.Info().Str("url", fmt.Sprintf("%s://%s/", scheme, server.Addr())).Str("journal", opt.Title).Msg("live page is served")
	if c.environ.environ()["GOMEMLIMIT"] == "" {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(webMemory))
	}
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	return server.Serve(ctx)
}

// choose makes the reading one of the journals that are named. Unlike other commands it takes a directory without a journal, and a path
// at which there is nothing: what comes there is shown from then on.
func (c *webCommand) choose() error {
	err := c.prepare(c.args)
	if len(c.args) > 1 {
		return err
	}
	if len(c.args) == 0 {
		if c.path = c.cfg.Config.JournalDir; err == nil {
			_, found := c.find()
			c.pending = !found
		}
		return err
	}
	c.path = c.args[0]
	var none *noJournalError
	_, missing := os.Stat(c.path)
	if c.pending = errors.As(err, &none) || errors.Is(missing, fs.ErrNotExist) && c.path != read.Stdin; !c.pending {
		return err
	}
	if err := c.prepare(nil); err != nil {
		return err
	}
	c.named, c.fleets = true, nil
	c.options.Dir, c.options.Paths, c.options.Journals = c.path, nil, nil
	return nil
}

// find is what has appeared at the path where there was no journal at the start.
func (c *webCommand) find() (read.Options, bool) {
	opt, base := c.options, c.cfg.Config.JournalFile
	info, err := os.Stat(c.path)
	if err != nil {
		return opt, false
	}
	if !info.IsDir() {
		opt.Dir, opt.Base, opt.Paths, opt.Journals = "", "", []string{c.path}, nil
		makeWhole(&opt)
		return opt, true
	}
	dirs, err := journalDirs(c.path, base)
	if err != nil {
		return opt, false
	}
	var found groups
	found.addDirs(c.path, base, dirs)
	setJournals(&opt, found.journals())
	c.awaitIn(found.fleets, &opt)
	return opt, true
}

func (c *webCommand) webOptions(token string, log zerolog.Logger) web.Options {
	cfg := c.cfg.Config
	opt := web.Options{
		Addr: cfg.WebAddr, Hosts: cfg.WebHosts, Token: token, Cert: cfg.WebTLSCert, Key: cfg.WebTLSKey,
		Read: c.options, Zone: c.zone(), Title: reportTitle(c.selection, c.args), Version: versionText(), HostMetrics: cfg.WebHostMetrics,
		Report: c.report, Command: c.query, Log: log,
	}
	opt.Read.Count = nil
	if c.pending {
		opt.Find = c.find
	}
	var told sync.Once
	opt.Lives = func(journals []read.Journal) map[string][]presence.Span {
		all, err := livesOf(journals)
		if err != nil {
			told.Do(func() {
				log.Warn().Err(err).Msg("when nothing came from any host, its daemon is taken to have been down")
			})
		}
		return all
	}
	if len(c.args) == 0 {
		opt.Ask = func(ctx context.Context, path string) (int, string, error) {
			addr, err := statusAddress(cfg)
			if err != nil {
				return 0, "", err
			}
			return status.Ask(ctx, addr, path)
		}
	}
	return opt
}

// report writes the report of a range as a page.
func (c *webCommand) report(ctx context.Context, w io.Writer, since, until string) error {
	s := &selection{settings: c.settings, environ: c.environ, cfg: c.cfg, since: since, until: until}
	from, to, err := s.times()
	if err != nil {
		return fmt.Errorf("%w: %w", web.ErrRange, err)
	}
	timely, err := journal.NewFilter(journal.FilterOptions{Since: from, Until: to})
	if err != nil {
		return fmt.Errorf("%w: %w", web.ErrRange, err)
	}
	s.filter, s.options = timely, c.options
	c.join(&s.options)
	s.options.Since, s.options.Until, s.options.Count = from, to, nil
	r := &reading{selection: s, env: c.environ, faults: faults{w: io.Discard}}
	figures, err := summarize(ctx, r)
	if err != nil {
		return err
	}
	opt := report.Options{Title: reportTitle(c.selection, c.args), Zone: c.zone()}
	if n := r.faults.count; n > 0 {
		opt.Notes = append(opt.Notes, fmt.Sprintf("Faults in the files: %d, of which %d are files that are encrypted and left out. The rest was read; 'hbjournal verify' lists them.",
			n, r.faults.encrypted))
	}
	return report.Write(w, "html", &figures, opt)
}

// query is the command for a shell that queries the same journals.
func (c *webCommand) query(arguments ...string) string {
	words := append([]string{"hbjournal", "query"}, arguments...)
	if file := c.cfg.Config.JournalFile; file != config.Default().JournalFile {
		words = append(words, "--journal-file", file)
	}
	if len(c.args) == 0 {
		words = append(words, absolute(c.cfg.Config.JournalDir))
	}
	for _, arg := range c.args {
		words = append(words, absolute(arg))
	}
	for i, word := range words {
		words[i] = doctor.Quoted(word)
	}
	return strings.Join(words, " ")
}

// join adds to opt the receivers that have joined the fleet.
func (c *webCommand) join(opt *read.Options) {
	if c.pending {
		*opt, _ = c.find()
		opt.More = nil
		return
	}
	if len(c.fleets) == 0 {
		return
	}
	opt.More = nil
	if found, err := journalsOf(c.args, c.cfg.Config.JournalDir, c.cfg.Config.JournalFile); err == nil {
		opt.Journals = found.journals()
		makeWhole(opt)
	}
}

// leastToken is how many characters a token must have, so that it cannot be guessed.
const leastToken = 16

// webToken reads the token of the page. Beyond loopback there must be one, unless it is said that there is none.
func webToken(cfg config.Config) (string, error) {
	if cfg.WebTokenFile == "" {
		if cfg.WebNoAuth || isLoopback(cfg.WebAddr) {
			return "", nil
		}
		return "", &usageError{
			fmt.Errorf("web_addr=%s can be reached by others, who would see all messages", cfg.WebAddr),
			"give a token in web_token_file (WEB_TOKEN_FILE), or say web_no_auth (WEB_NO_AUTH=true) if something else keeps them out",
		}
	}
	if cfg.WebNoAuth {
		return "", &usageError{errors.New("web_token_file and web_no_auth=true contradict each other"), "give one of them"}
	}
	const most = 4 << 10
	file, err := os.Open(cfg.WebTokenFile)
	if err != nil {
		return "", &usageError{fmt.Errorf("read web_token_file: %w", err), "check the path, and that this user may read it"}
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return "", &usageError{fmt.Errorf("read web_token_file: %w", err), "give a file with the token"}
	}
	token := strings.TrimSpace(string(text))
	if len(token) < leastToken || len(text) == most || strings.ContainsAny(token, "\r\n") {
		return "", &usageError{
			fmt.Errorf("web_token_file=%s: want one line of %d characters at least", cfg.WebTokenFile, leastToken),
			"head -c 24 /dev/urandom | base64 makes one",
		}
	}
	return token, nil
}

// isLoopback reports whether only this machine can reach addr.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return host == "localhost"
}
