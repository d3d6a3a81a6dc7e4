package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"hbjournal/scripts/source"
)

// Media types of the OCI image specification.
const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// image is the image of one program for one architecture.
type image struct {
	name   string
	arch   string
	tag    string
	layer  []byte // as a tar
	packed []byte // the same in gzip
	config []byte // JSON
}

// imageConfig is the JSON that says how the image is run. Docker reads Healthcheck from it; the OCI specification has
// no such field, and lets it be.
type imageConfig struct {
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Created      time.Time `json:"created"`
	Config       runConfig `json:"config"`
	RootFS       rootFS    `json:"rootfs"`
	History      []history `json:"history"`
}

type runConfig struct {
	User         string
	ExposedPorts map[string]struct{}
	Env          []string
	Entrypoint   []string
	Volumes      map[string]struct{}
	WorkingDir   string
	StopSignal   string
	Labels       map[string]string
	Healthcheck  *healthcheck `json:",omitempty"`
}

type healthcheck struct {
	Test                           []string
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

// newImage makes the image of hbjournal.
func newImage(binary, arch string, s source.Source) (image, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return image{}, err
	}
	return makeImage("hbjournal", arch, s, layer(program), settings(s))
}

// makeImage makes an image of these files, whose containers run so unless told otherwise.
func makeImage(name, arch string, s source.Source, files []file, run runConfig) (image, error) {
	made := image{name: name, arch: arch, tag: tag(s.Version)}
	var tarred bytes.Buffer
	if err := appendTar(&tarred, s.Time, files); err != nil {
		return image{}, fmt.Errorf("make the layer: %w", err)
	}
	made.layer = tarred.Bytes()
	var err error
	if made.packed, err = source.Compress(made.layer); err != nil {
		return image{}, fmt.Errorf("compress the layer: %w", err)
	}
	made.config, err = json.Marshal(imageConfig{
		Architecture: arch, OS: "linux", Created: s.Time,
		Config:  run,
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{digest(made.layer)}},
		History: []history{{Created: s.Time, CreatedBy: "scripts/image"}},
	})
	return made, err
}

// settings are how a container of the image runs unless told otherwise.
func settings(s source.Source) runConfig {
	labels := map[string]string{
		"org.opencontainers.image.title":       "hbjournal",
		"org.opencontainers.image.description": "Writes every UDP datagram received as one JSON line to a journal that rotates by itself",
		"org.opencontainers.image.version":     s.Version,
		"org.opencontainers.image.created":     s.Time.Format(time.RFC3339),
	}
	if s.Commit != "" {
		labels["org.opencontainers.image.revision"] = s.Commit
	}
	return runConfig{
		User:         fmt.Sprintf("%d:%d", uid, uid),
		ExposedPorts: map[string]struct{}{"50003/udp": {}},
		Env:          []string{"PATH=/"}, // so that 'docker exec NAME hbjournal query' needs no path
		Entrypoint:   []string{"/hbjournal"},
		Volumes:      map[string]struct{}{"/var/log/heartbeat": {}}, // a journal outlives its container, asked for or not
		WorkingDir:   "/",
		StopSignal:   "SIGTERM",
		Labels:       labels,
		Healthcheck: &healthcheck{
			Test:     []string{"CMD", "/hbjournal", "health"},
			Interval: 30 * time.Second, Timeout: 3 * time.Second, StartPeriod: 10 * time.Second, Retries: 3,
		},
	}
}

// tag is the version with what a tag may not have replaced.
func tag(version string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("._-", r) || r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '-'
	}, version)
}

// dockerArchive returns the files of the tar that 'docker load' reads.
func (i image) dockerArchive() []file {
	config, layer := hash(i.config)+".json", hash(i.layer)+".tar"
	manifest := mustJSON([]any{map[string]any{
		"Config": config, "RepoTags": []string{i.name + ":" + i.tag, i.name + ":latest"}, "Layers": []string{layer},
	}})
	return []file{
		{name: config, mode: 0o644, body: i.config},
		{name: layer, mode: 0o644, body: i.layer},
		{name: "manifest.json", mode: 0o644, body: manifest},
	}
}

// descriptor points to a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// blobs are the parts of an OCI layout, each under its hash.
type blobs struct{ files []file }

func (b *blobs) add(mediaType string, body []byte) descriptor {
	name := "blobs/sha256/" + hash(body)
	if !slices.ContainsFunc(b.files, func(f file) bool { return f.name == name }) {
		b.files = append(b.files, file{name: name, mode: 0o644, body: body})
	}
	return descriptor{MediaType: mediaType, Digest: digest(body), Size: len(body)}
}

// ociLayout returns the files of an OCI layout whose one index lists the image of each architecture.
func ociLayout(images []image, version string) []file {
	var all blobs
	var manifests []descriptor
	for _, i := range images {
		config, layer := all.add(configType, i.config), all.add(layerType, i.packed)
		manifest := all.add(manifestType, mustJSON(map[string]any{
			"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": []descriptor{layer},
		}))
		manifest.Platform = &platform{i.arch, "linux"}
		manifests = append(manifests, manifest)
	}
	top := all.add(indexType, index(manifests))
	top.Annotations = map[string]string{"org.opencontainers.image.ref.name": tag(version)}
	return slices.Concat(
		[]file{dir("blobs/", 0o755, 0), dir("blobs/sha256/", 0o755, 0)},
		all.files,
		[]file{
			{name: "index.json", mode: 0o644, body: index([]descriptor{top})},
			{name: "oci-layout", mode: 0o644, body: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		},
	)
}

func index(manifests []descriptor) []byte {
	return mustJSON(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": manifests})
}

// mustJSON encodes what is made of strings and numbers only, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func digest(b []byte) string { return "sha256:" + hash(b) }
