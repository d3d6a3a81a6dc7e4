package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var archs = []string{"amd64", "arm64"}

// The second build differs from the first in all that must not matter: place, cache, zone and settings of Go.
func TestImageIsTheSameToTheByteWhereverItIsBuilt(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a build without a cache takes a minute")
	}
	first := built(t)
	second, err := buildImages(filepath.Join(t.TempDir(), "some/where else"),
		[]string{"TZ=Asia/Tokyo", "LC_ALL=C", "GOFLAGS=-mod=mod", "CGO_ENABLED=1", "GOAMD64=v2"}, "--clean", "--arch", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hbjournal-linux-amd64", "hbjournal-linux-amd64.docker.tar", "hbjournal-linux-amd64.cdx.json"} {
		a, b := read(t, first, name), read(t, second, name)
		if !bytes.Equal(a, b) {
			t.Errorf("%s: got other bytes from the second build (%d and %d of them), want the same", name, len(b), len(a))
		}
	}
	again, err := buildImages(filepath.Join(t.TempDir(), "both"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, first, "hbjournal.oci.tar"), read(t, again, "hbjournal.oci.tar")) {
		t.Error("hbjournal.oci.tar: got other bytes from another place, want the same")
	}
}

func TestImageHoldsOneLayerWithTheseFilesAndNoOther(t *testing.T) {
	t.Parallel()
	want := `drwxr-xr-x 0:0 etc/
-rw-r--r-- 0:0 etc/group
-rw-r--r-- 0:0 etc/passwd
-rwxr-xr-x 0:0 hbjournal
dtrwxrwxrwx 0:0 tmp/
drwxr-xr-x 0:0 var/
drwxr-xr-x 0:0 var/log/
drwxr-x--- 65532:65532 var/log/heartbeat/
`
	for _, arch := range archs {
		t.Run(arch, func(t *testing.T) {
			archive := untar(t, read(t, built(t), "hbjournal-linux-"+arch+".docker.tar"))
			var manifest []struct {
				Config   string
				RepoTags []string
				Layers   []string
			}
			decode(t, archive["manifest.json"], &manifest)
			if len(manifest) != 1 || len(manifest[0].Layers) != 1 || !slices.Equal(manifest[0].RepoTags, []string{"hbjournal:1.2.3", "hbjournal:latest"}) {
				t.Fatalf("got manifest %+v, want one image of one layer", manifest)
			}
			layer := archive[manifest[0].Layers[0]]
			if got := listing(t, layer); got != want {
				t.Errorf("got files\n%swant\n%s", got, want)
			}
			if !bytes.Equal(untar(t, layer)["hbjournal"], read(t, built(t), "hbjournal-linux-"+arch)) {
				t.Error("got another program in the image, want the one beside it")
			}
			checkConfig(t, archive[manifest[0].Config], arch, layer)
		})
	}
}

// checkConfig checks how a container of the image runs.
func checkConfig(t *testing.T, b []byte, arch string, layer []byte) {
	t.Helper()
	var config struct {
		Architecture, OS, Created string
		Config                    struct {
			User, StopSignal     string
			Entrypoint, Cmd      []string
			Volumes              map[string]struct{}
			ExposedPorts, Labels map[string]any
			Healthcheck          struct{ Test []string }
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	decode(t, b, &config)
	c := config.Config
	got := fmt.Sprintln(config.Architecture, config.OS, config.Created, c.User, c.StopSignal, c.Entrypoint, c.Cmd, c.Volumes, c.ExposedPorts, c.Healthcheck.Test, config.RootFS.DiffIDs)
	want := fmt.Sprintln(arch, "linux", "2023-11-14T22:13:20Z", "65532:65532", "SIGTERM", []string{"/hbjournal"}, []string{}, "map[/var/log/heartbeat:{}]",
		"map[50003/udp:map[]]", []string{"CMD", "/hbjournal", "health"}, []string{digest(layer)})
	if got != want {
		t.Errorf("got configuration\n%swant\n%s", got, want)
	}
	if c.Labels["org.opencontainers.image.version"] != version || c.Labels["org.opencontainers.image.title"] != "hbjournal" {
		t.Errorf("got labels %v, want title and version", c.Labels)
	}
}

func TestOCILayoutListsBothArchitecturesAndEveryBlobIsWhatItsNameSays(t *testing.T) {
	t.Parallel()
	layout := untar(t, read(t, built(t), "hbjournal.oci.tar"))
	type descriptor struct {
		Digest      string
		Size        int
		Platform    struct{ Architecture, OS string }
		Annotations map[string]string
	}
	blob := func(d descriptor, into any) []byte {
		b := layout["blobs/sha256/"+strings.TrimPrefix(d.Digest, "sha256:")]
		if digest(b) != d.Digest || len(b) != d.Size {
			t.Fatalf("got %d bytes of %s for %+v, want what it says", len(b), digest(b), d)
		}
		if into != nil {
			decode(t, b, into)
		}
		return b
	}
	var index, platforms struct{ Manifests []descriptor }
	decode(t, layout["index.json"], &index)
	if len(index.Manifests) != 1 || index.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != version {
		t.Fatalf("got index %+v, want one entry of the name %s", index, version)
	}
	blob(index.Manifests[0], &platforms)
	var got []string
	for _, d := range platforms.Manifests {
		var manifest struct {
			Config descriptor
			Layers []descriptor
		}
		blob(d, &manifest)
		unpacked, err := gzip.NewReader(bytes.NewReader(blob(manifest.Layers[0], nil)))
		if err != nil {
			t.Fatal(err)
		}
		layer, err := io.ReadAll(unpacked)
		if err != nil {
			t.Fatal(err)
		}
		checkConfig(t, blob(manifest.Config, nil), d.Platform.Architecture, layer)
		got = append(got, d.Platform.OS+"/"+d.Platform.Architecture)
	}
	if !slices.Equal(got, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("got platforms %v, want both", got)
	}
}

func TestProgramOfTheImageIsStatic(t *testing.T) {
	t.Parallel()
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		file, err := elf.Open(filepath.Join(built(t), "hbjournal-linux-"+arch))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if file.Machine != machine {
			t.Errorf("%s: got a program for %v", arch, file.Machine)
		}
		for _, p := range file.Progs {
			if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
				t.Errorf("%s: got a program header %v, want a static program", arch, p.Type)
			}
		}
	}
}

func TestSkopeoReadsBothArchivesForBothArchitectures(t *testing.T) {
	t.Parallel()
	need(t, "skopeo")
	for _, arch := range archs {
		for _, archive := range []string{"oci-archive:hbjournal.oci.tar", "docker-archive:hbjournal-linux-" + arch + ".docker.tar"} {
			kind, name, _ := strings.Cut(archive, ":")
			var seen struct {
				Architecture, Os string
				Layers           []string
				Labels           map[string]string
			}
			decode(t, []byte(output(t, "skopeo", "--override-os", "linux", "--override-arch", arch, "inspect", kind+":"+filepath.Join(built(t), name))), &seen)
			if seen.Architecture != arch || seen.Os != "linux" || len(seen.Layers) != 1 || seen.Labels["org.opencontainers.image.version"] != version {
				t.Errorf("%s: got %+v, want the image of %s", archive, seen, arch)
			}
		}
	}
}

func TestListOfPartsIsExactlyWhatTheProgramIsMadeOf(t *testing.T) {
	t.Parallel()
	for _, arch := range archs {
		program := filepath.Join(built(t), "hbjournal-linux-"+arch)
		info, err := buildinfo.ReadFile(program) // what 'go version -m' prints
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, dep := range info.Deps {
			want = append(want, dep.Path+"@"+dep.Version)
		}
		var parts struct {
			BomFormat string
			Metadata  struct {
				Component struct{ Name, Version string }
			}
			Components []struct{ Name, Version string }
		}
		decode(t, read(t, built(t), "hbjournal-linux-"+arch+".cdx.json"), &parts)
		for _, c := range parts.Components {
			got = append(got, c.Name+"@"+c.Version)
		}
		slices.Sort(got)
		slices.Sort(want)
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: got components %v, want %v", arch, got, want)
		}
		if c := parts.Metadata.Component; parts.BomFormat != "CycloneDX" || c.Name != "hbjournal" || c.Version != version {
			t.Errorf("%s: got %+v of format %s, want hbjournal in CycloneDX", arch, c, parts.BomFormat)
		}
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t *testing.T, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%v in %q", err, b)
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// untar returns the files of a tar by name.
func untar(t *testing.T, b []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	eachFile(t, b, func(h *tar.Header, body []byte) { files[h.Name] = body })
	return files
}

// listing returns a line for each file of a tar.
func listing(t *testing.T, b []byte) string {
	t.Helper()
	var lines strings.Builder
	eachFile(t, b, func(h *tar.Header, _ []byte) {
		fmt.Fprintf(&lines, "%v %d:%d %s\n", h.FileInfo().Mode(), h.Uid, h.Gid, h.Name)
		if got := h.ModTime.Unix(); fmt.Sprint(got) != epoch {
			t.Errorf("%s: got time %d, want %s", h.Name, got, epoch)
		}
	})
	return lines.String()
}

func eachFile(t *testing.T, b []byte, see func(*tar.Header, []byte)) {
	t.Helper()
	for in := tar.NewReader(bytes.NewReader(b)); ; {
		header, err := in.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		see(header, body)
	}
}
