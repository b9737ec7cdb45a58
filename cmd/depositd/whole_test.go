package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// lessWatched is what a test says that does less under the race detector, or nothing.
var lessWatched = regexp.MustCompile(`^(Unwatched|UnderRace|sampled|months|tortured)$`)

// leftOut lists the tests of a file that do less under the race detector and are not in the list of those played without.
func leftOut(t *testing.T, file string, src any, whole *regexp.Regexp) (names []string, less int) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, src, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range parsed.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || !strings.HasPrefix(f.Name.Name, "Test") {
			continue
		}
		found := false
		ast.Inspect(f.Body, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			found = found || ok && lessWatched.MatchString(id.Name)
			return true
		})
		if !found {
			continue
		}
		if less++; !whole.MatchString(f.Name.Name) {
			names = append(names, f.Name.Name)
		}
	}
	return names, less
}

// TestWholeIsAllOfIt: whatever does less under the race detector is in the Makefile's list of what is played without it, or make
// test would never play all of it.
func TestWholeIsAllOfIt(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^WHOLE := ((?:.*\\\n)*.*)$`).FindSubmatch(makefile)
	if list == nil {
		t.Fatal("the Makefile has no list")
	}
	whole := regexp.MustCompile("^(" + strings.Join(strings.Fields(strings.ReplaceAll(string(list[1]), "\\\n", " ")), "|") + ")$")
	all := 0
	err = filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		names, less := leftOut(t, path, nil, whole)
		if all += less; len(names) > 0 {
			t.Errorf("%s: %v", path, names)
		}
		return nil
	})
	if err != nil || all < 15 {
		t.Errorf("%d tests do less, %v", all, err)
	}
	const seeded = "package x\nfunc TestSeeded(t *testing.T) { sqldbtest.Unwatched(t) }\n"
	if names, _ := leftOut(t, "seeded_test.go", seeded, whole); len(names) != 1 {
		t.Error("a test that is left out is not noticed")
	}
}
