package cli

import (
	"strings"
	"testing"
)

func TestNamesOfOutputsTellAddressesApart(t *testing.T) {
	addresses := []string{
		"file:///a", "file:///a/", "file:///a//", "file:///A", "file:///a/b", "file:///a-b", "http://a:1/x", "http://a-x:1", "http://a:1-x", "http://a:1/",
		"http://a:1/1", "http://a:1-1", "https://a:1", "http://1:1/1", "kafka://tls:1/2", "kafka+tls://1:2", "nats://a:1,b:2", "nats://a:1-b:2", "stdout:",
		"http://" + strings.Repeat("a", 99) + ":1", "http://" + strings.Repeat("a", 98) + ":1",
	}
	known := make(map[string]string)
	for _, address := range addresses {
		name := outputName(address)
		if other, ok := known[strings.ToLower(name)]; ok {
			t.Errorf("%s and %s are both called %s", address, other, name)
		}
		if !isOutputName.MatchString(name) {
			t.Errorf("%s makes %s, which is no name", address, name)
		}
		known[strings.ToLower(name)] = address
	}
	for address, want := range map[string]string{
		"http://127.0.0.1:1/x": "http-127.0.0.1-1-x", "http://a:1/": "http-a-1", "stdout:": "stdout", "file:///srv/copy": "file-srv-copy",
	} {
		if got := outputName(address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}
