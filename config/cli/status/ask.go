package status

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// answerBytes is how much of an answer is read.
const answerBytes = 64 << 10

// Ask gets path from the daemon that serves its status at addr, which may be a wildcard: then it is asked over loopback.
// It returns the code and the text of the answer. No proxy is asked, whatever the environment says, and nothing that the
// answer redirects to.
func Ask(ctx context.Context, addr, path string) (code int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, http.NoBody)
	if err != nil {
		return 0, "", fmt.Errorf("ask the daemon at %s: %w", addr, err)
	}
	client := http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, addr) },
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		var asked *url.Error // whose own words name the URL, which is none that anybody knows
		if errors.As(err, &asked) {
			err = asked.Err
		}
		return 0, "", fmt.Errorf("ask the daemon at %s: %w", addr, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytes))
	if err != nil {
		return 0, "", fmt.Errorf("ask the daemon at %s: %w", addr, err)
	}
	return response.StatusCode, strings.TrimSpace(string(body)), nil
}

// dial connects to addr, or to loopback if it is a wildcard: as IPv4 first, since many containers bind [::] and have no
// IPv6 address all the same.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	var dialer net.Dialer
	host, port, err := net.SplitHostPort(addr)
	if ip, bad := netip.ParseAddr(host); err != nil || host != "" && (bad != nil || !ip.IsUnspecified()) {
		return dialer.DialContext(ctx, "tcp", addr)
	}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err == nil {
		return conn, nil
	}
	if conn, err6 := dialer.DialContext(ctx, "tcp", net.JoinHostPort("::1", port)); err6 == nil {
		return conn, nil
	}
	return nil, err
}
