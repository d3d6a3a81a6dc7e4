package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repoRoot is where go.mod stands, seen from this package.
const repoRoot = "../.."

func TestRootHoldsOnlyTheAllowedNames(t *testing.T) {
	allowed := []string{"main.go", "ingest", "sink", "config", "scripts", "go.mod", "go.sum", "README.md"}
	// What .gitignore names may be there too: a built binary, and the journal of the README's demo.
	ignored := []string{"hbjournal", "journal"}
	entries, err := os.ReadDir(repoRoot)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if name[0] != '.' && !slices.Contains(allowed, name) && !slices.Contains(ignored, name) {
			t.Errorf("got %s at the root, want only %v", name, allowed)
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	commented := map[string]bool{}
	for path, file := range goFiles(t) {
		if !strings.HasSuffix(path, "_test.go") {
			dir := filepath.Dir(path)
			commented[dir] = commented[dir] || file.Doc != nil
		}
	}
	for dir, has := range commented {
		if !has {
			t.Errorf("got no package comment in %s, want one that tells what the package owns and does not do", dir)
		}
	}
}

// What lies in a file is never truncated by opening it: not by O_TRUNC, nor, in the program, by what has it inside.
func TestNothingTruncatesWhatItOpens(t *testing.T) {
	for path, file := range goFiles(t) {
		tests := strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/killtest/") || strings.Contains(path, "/browser/")
		program := !tests && !strings.HasPrefix(path, filepath.Join(repoRoot, "scripts"))
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, _ := sel.X.(*ast.Ident)
			hidden := pkg != nil && pkg.Name == "os" && (sel.Sel.Name == "Create" || sel.Sel.Name == "WriteFile")
			if sel.Sel.Name == "O_TRUNC" || program && hidden {
				t.Errorf("%s: got %s, want a way to open that keeps what is there", path, sel.Sel.Name)
			}
			return true
		})
	}
}

// goFiles parses every Go file of the project, by path.
func goFiles(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := filepath.WalkDir(repoRoot, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != repoRoot && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".go" {
			files[path], err = parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("got %d Go files below %s, want the whole project", len(files), repoRoot)
	}
	return files
}
