package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// loadFile finds the YAML file, if there is one, and sets what it says.
func (l *loader) loadFile() error {
	path, data, err := l.src.readFile()
	if err != nil || path == "" {
		return err
	}
	l.File = path
	body, err := parseYAML(data)
	if err != nil {
		return describeSyntax(path, err)
	}
	entries, err := mapping(body)
	if err != nil {
		return fmt.Errorf("read config %s: %w", path, err)
	}
	return l.loadEntries(entries, aliases(body))
}

// SearchPath returns the files that are read when none is named: ./.hb.yaml, ~/.hb.yaml, /etc/hb.yaml, and the one that
// packages install, /etc/hbjournal/hb.yaml.
func SearchPath(environ map[string]string) []string {
	path := []string{".hb.yaml"}
	if home := environ["HOME"]; home != "" {
		path = append(path, filepath.Join(home, ".hb.yaml"))
	}
	return append(path, "/etc/hb.yaml", "/etc/hbjournal/hb.yaml")
}

// readFile returns the file that was named, or else the first one of the search path that exists. No file is no error.
func (s Sources) readFile() (path string, data []byte, err error) {
	if path, by := s.fileToRead(); path != "" {
		data, err := s.readNamed(path)
		if err != nil {
			return "", nil, fmt.Errorf("read the config file that %s names: %w", by, err)
		}
		return path, data, nil
	}
	for _, path := range s.Search {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, fmt.Errorf("read config: %w", err)
		}
		return path, data, nil
	}
	return "", nil, nil
}

// fileToRead returns the path of the YAML file that was named, if one was, and by what.
func (s Sources) fileToRead() (path, by string) {
	if s.File != "" {
		return s.File, "--config"
	}
	return s.Environ["CONFIG_FILE"], "CONFIG_FILE"
}

// readNamed reads the file at path. If there is none, the error also says what is odd about the path.
func (s Sources) readNamed(path string) ([]byte, error) {
	home, err := withHome(path, s.Environ)
	if err != nil {
		return nil, fmt.Errorf("%q %w", path, err)
	}
	data, err := os.ReadFile(home)
	if why := (Key{path: pathFile}).oddity(given{text: path}); why != "" && err != nil {
		return nil, &fs.PathError{Op: "open", Path: strconv.Quote(path), Err: fmt.Errorf("%w; the name %s", errors.Unwrap(err), why)}
	}
	return data, err
}

// parseYAML returns what the one document of a file holds; nil: nothing. Directives, and documents that hold nothing,
// as before a --- or behind the last, are passed over.
func parseYAML(data []byte) (body ast.Node, err error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8: save it as that")
	}
	documents := 0
	for _, text := range splitDocuments(string(data)) {
		file, err := parser.ParseBytes([]byte(text), 0)
		if err != nil {
			return nil, err
		}
		for _, doc := range file.Docs {
			switch doc.Body.(type) {
			case nil, *ast.NullNode, *ast.CommentGroupNode:
				continue
			}
			body = doc.Body
			documents++
		}
	}
	if documents > 1 {
		return nil, fmt.Errorf("it holds %d YAML documents, and must hold one", documents)
	}
	return body, nil
}

// splitDocuments returns the documents of a YAML text, each with empty lines before it so that lines keep their number,
// and without directives. The parser splits too, but drops a document behind an empty one.
func splitDocuments(text string) []string {
	var documents []string
	var current strings.Builder
	lines, head := 0, true // in the head of a document there can be directives
	for line := range strings.Lines(text) {
		switch {
		case isMarker(line):
			documents = append(documents, current.String())
			current.Reset()
			current.WriteString(strings.Repeat("\n", lines) + "   " + line[3:])
			head = line[0] == '.'
		case head && line[0] == '%':
			current.WriteString("\n")
		default:
			current.WriteString(line)
			head = head && strings.TrimSpace(strings.SplitN(line, "#", 2)[0]) == ""
		}
		lines++
	}
	return append(documents, current.String())
}

// isMarker reports whether a line begins or ends a document. One that begins so can be nothing else, in a quoted or a
// block text neither.
func isMarker(line string) bool {
	rest, ok := strings.CutPrefix(line, "---")
	if !ok {
		rest, ok = strings.CutPrefix(line, "...")
	}
	return ok && (rest == "" || strings.ContainsAny(rest[:1], " \t\r\n"))
}

// describeSyntax gives a fault of YAML itself as path:line and one sentence.
func describeSyntax(path string, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("read config %s: %w", path, err)
	}
	return fmt.Errorf("read config %s:%d: %s", path, at.GetToken().Position.Line, at.GetMessage())
}

// mapping returns the entries of a document, which must be a mapping; an empty document has none.
func mapping(body ast.Node) ([]*ast.MappingValueNode, error) {
	switch n := body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil, nil
	case *ast.AnchorNode:
		return mapping(n.Value)
	case *ast.MappingNode:
		return n.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, nil
	}
	return nil, errors.New("it must be a list of settings, one a line, such as `journal_dir: /var/log/heartbeat`")
}

// loadEntries sets what the entries of the file say.
func (l *loader) loadEntries(entries []*ast.MappingValueNode, targets map[*ast.AliasNode]ast.Node) error {
	r := resolver{targets: targets}
	merged, err := r.merge(entries)
	if err != nil {
		return fmt.Errorf("read config %s:%w", l.File, err)
	}
	values := map[string]given{}
	for _, e := range merged {
		origin := Origin{Source: FromFile, Name: l.File, Line: e.line}
		k, known := keyNamed(keyWord(e.name))
		switch first, again := values[k.Name]; {
		case !known:
			l.unknownKey(e, origin)
			continue
		case again:
			return fmt.Errorf("read config %s:%d: %s stands there twice, first on line %d", l.File, e.line, k.Name, first.origin.Line)
		}
		v, set, err := value(e.value, k.IsList())
		v.origin = origin
		switch {
		case err != nil:
			l.unreadable(k, given{text: strings.TrimSpace(e.value.String()), origin: origin}, err)
		case set:
			values[k.Name] = v
		}
	}
	l.apply(values)
	return nil
}

// keyWord is the name of the setting that a key of the file stands for: JOURNAL_DIR and journal-dir are journal_dir.
func keyWord(key string) string { return strings.ReplaceAll(strings.ToLower(key), "-", "_") }

// unknownKey warns, or with Strict faults: the file may hold another program's settings too. What only holds an anchor
// for aliases to use is left alone.
func (l *loader) unknownKey(e entry, origin Origin) {
	if e.anchor {
		return
	}
	problem := fmt.Sprintf("unknown key %q", e.name)
	if near := meantKey(e); near != "" {
		problem += fmt.Sprintf("; did you mean %q?", near)
	}
	if l.src.Needs == nil || l.src.Strict {
		l.doubt(origin, problem)
	}
}

// meantKey returns the setting that was most likely meant, or "": one with a name that is near, or that of a group and
// of what is in it, as of dir below journal.
func meantKey(e entry) string {
	if group, err := mapping(e.value); err == nil {
		for _, in := range group {
			if k, ok := keyNamed(keyWord(e.name + "_" + in.Key.GetToken().Value)); ok {
				return k.Name
			}
		}
	}
	return Nearest(keyWord(e.name), KeyNames())
}

// value returns a scalar as it is written, without its quotes, and a list with its items apart. null sets nothing, like
// an empty variable; "" and [] are empty.
func value(node ast.Node, list bool) (v given, set bool, err error) {
	if items, ok := node.(*ast.SequenceNode); ok && list {
		v.items = []string{}
		for _, item := range items.Values {
			one, _, err := value(item, false)
			if err != nil {
				return v, false, err
			}
			v.items = append(v.items, one.text)
		}
		return v, true, nil
	}
	switch n := node.(type) {
	case *ast.NullNode:
		return v, false, nil
	case *ast.StringNode:
		return given{text: n.Value}, true, nil
	case *ast.LiteralNode:
		return given{text: n.Value.Value}, true, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return given{text: n.GetToken().Value}, true, nil
	}
	return v, false, errors.New("is not a plain value")
}
