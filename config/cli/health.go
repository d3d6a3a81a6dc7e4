package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hbjournal/config"
	"hbjournal/config/cli/status"
)

// healthWithin is less than the second that probes allow by default, so that the reason is printed and not cut off.
const healthWithin = 900 * time.Millisecond

func newHealth(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the running daemon or archive whether messages reach the disk; exit 0 or 1",
		Long: "Asks the running daemon, by /readyz at its http_addr, whether messages reach the disk, and exits 0 or 1 within a second.\n\n" +
			"It takes the settings of the daemon, from the same environment and file, and finds it by the address that it left in the\n" +
			"state directory of its journal. An archive is asked in the same way: its journal_dir is enough. With --live it asks\n" +
			"/healthz, whether the daemon answers at all: the question for whatever restarts a daemon, since restarting it frees no\n" +
			"full disk.",
		Example: `  hbjournal health || echo 'see the reason above'
  docker exec NAME hbjournal health --live
  hbjournal health --config /etc/hbjournal/archive.yaml`,
		Args:        cobra.NoArgs,
		Annotations: map[string]string{neverUsage: ""},
	}
	settings := addSettings(cmd, "http_addr", "journal_dir", "journal_file", "journal_enabled")
	live := cmd.Flags().Bool("live", false, "only ask whether it answers, not whether messages reach the disk")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := settings.loadReading(env, nil)
		if err != nil {
			return err
		}
		path := "/readyz"
		if *live {
			path = "/healthz"
		}
		text, err := health(cmd.Context(), loaded.Config, path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(env.Stdout, text)
		return err
	}
	return cmd
}

// health returns what the daemon says if all is well, and the reason as an error if not.
func health(ctx context.Context, cfg config.Config, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	addr, err := statusAddress(cfg)
	if err != nil {
		return "", err
	}
	code, text, err := status.Ask(ctx, addr, path)
	text = visibleLines(text)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "", &hintedError{fmt.Errorf("ask the daemon at %s: no answer within %v", addr, healthWithin), "its log may say what holds it up"}
	case err != nil:
		return "", &hintedError{err, "is 'hbjournal serve', or 'archive', running with the same HTTP_ADDR and JOURNAL_DIR as here? 'hbjournal config' shows these"}
	case code == http.StatusServiceUnavailable:
		return "", errors.New(text)
	case code != http.StatusOK:
		return "", &hintedError{fmt.Errorf("ask the daemon at %s: got status %d for %s", addr, code, path), "something else seems to listen there; set HTTP_ADDR to an address of its own"}
	}
	return text, nil
}

// statusAddress is where the daemon, or the archive, serves its status: where it left word that it does, or else what the
// settings say.
func statusAddress(cfg config.Config) (string, error) {
	note := servingNoteOf(cfg.JournalDir, cfg.JournalFile)
	addr := cmp.Or(cfg.HTTPAddr, "off")
	if cfg.JournalEnabled { // else it keeps no state
		word, found := note.read()
		if archive := archiveNoteOf(cfg.JournalDir); !found {
			if word, found = archive.read(); found {
				note = archive
			}
		}
		if !found && cfg.ArchiveFrom != "" && addr == config.Default().HTTPAddr {
			addr = archiveHTTP
		}
		addr = cmp.Or(word.HTTP, addr)
	}
	if addr == "off" {
		return "", &hintedError{errors.New("http_addr is off, so the daemon cannot be asked"), "start it with HTTP_ADDR=127.0.0.1:9503"}
	}
	if _, port, err := net.SplitHostPort(addr); err == nil && strings.Trim(port, "0") == "" {
		return "", &hintedError{
			fmt.Errorf("http_addr=%s leaves the port to the system, and no daemon has left word of it in %s", addr, note.path),
			"is 'hbjournal serve' running, with the same JOURNAL_DIR as here?",
		}
	}
	return addr, nil
}

// visibleLines is visible for a text of several lines.
func visibleLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = visible(line)
	}
	return strings.Join(lines, "\n")
}
