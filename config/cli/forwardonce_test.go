package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestForwardOnceTellsOfTheRefusalsOfItsOwnRun(t *testing.T) {
	refuse := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if refuse {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	path := filepath.Join(dir, "messages.journal")
	if err := os.WriteFile(path, []byte(oneEntry), 0o600); err != nil {
		t.Fatal(err)
	}
	once := func() outcome {
		return run(t, []string{"JOURNAL_DIR=" + dir}, "forward", "--once", "--journal-id", "c1", server.URL)
	}
	once().want(t, 1, "0 lines sent, 1 refused", "refused 1 line")
	once().want(t, 0, "0 lines sent, 0 refused")
	refuse = false
	if err := os.WriteFile(path, []byte(oneEntry+oneEntry), 0o600); err != nil {
		t.Fatal(err)
	}
	once().want(t, 0, "1 line sent, 0 refused")
}
