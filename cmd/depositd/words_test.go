package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sqlText recognises a string that is SQL, or a part of it.
var sqlText = regexp.MustCompile(`\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|WHERE|ORDER BY|CREATE TABLE)\b`)

// forbidden is what the two engines do not share; what to write instead stands on the safety page.
var forbidden = regexp.MustCompile(`(?i)FOR UPDATE|ON CONFLICT|ON DUPLICATE|INSERT IGNORE|REPLACE INTO|RETURNING|\|\||\bAVG\(|\bLENGTH\(|CONCAT\(|LAST_INSERT_ID|AUTOINCREMENT|SKIP LOCKED|\bNOW\(\)|CURRENT_TIMESTAMP`)

// engineWords may stand under migrations only.
var engineWords = regexp.MustCompile(`(?i)mysql|sqlite|mariadb`)

// wrongWords lists what a source file says that it must not.
func wrongWords(file string, src any) (wrong []string) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ParseComments)
	if err != nil {
		return []string{err.Error()}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && sqlText.MatchString(lit.Value) {
			for _, word := range forbidden.FindAllString(lit.Value, -1) {
				wrong = append(wrong, file+": "+word)
			}
		}
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && !strings.Contains(file, "migrations") {
			for _, word := range engineWords.FindAllString(lit.Value, -1) {
				wrong = append(wrong, file+": "+word)
			}
		}
		return true
	})
	return wrong
}

// The SQL is one text for both engines, and only the storage knows which one it is.
func TestSQLIsPortable(t *testing.T) {
	read := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") {
			return err
		}
		read++
		for _, wrong := range wrongWords(path, nil) {
			t.Error(wrong)
		}
		return nil
	})
	if err != nil || read < 50 {
		t.Errorf("read %d files, %v", read, err)
	}
	for _, seeded := range []string{`"SELECT id FROM lots FOR UPDATE"`, `"INSERT IGNORE INTO lots (id) VALUES (?) WHERE 1"`, `"WHERE a || b = ?"`, `"the mysql way"`} {
		if len(wrongWords("seeded.go", "package x\n\nvar text = "+seeded+"\n")) == 0 {
			t.Errorf("%s was not noticed", seeded)
		}
	}
}
