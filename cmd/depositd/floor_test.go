package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The floor plan (docs: one staircase of folders). Imports only point left in this list, and bank never imports platform.
var floors = []string{"migrations", "platform", "bank", "reconcile", "refund", "api", "cmd"}

// homes says where a dependency may be imported from: all of its packages, by the packages listed.
var homes = map[string][]string{
	"github.com/gin-gonic/gin":       {"api"},
	"github.com/shopspring/decimal":  {"platform/deposit"},
	"github.com/go-sql-driver/mysql": {"migrations/sqldb", "migrations/sqldb/sqldbtest"},
	"modernc.org/sqlite":             {"migrations/sqldb"},
	"github.com/pressly/goose":       {"migrations/sqldb"},
	"database/sql":                   {"migrations/sqldb", "migrations/sqldb/sqldbtest"},
	"github.com/robfig/cron":         {"cmd/depositd"},
	"github.com/alecthomas/kong":     {"cmd/depositd"},
	"github.com/emmansun/gmsm":       {"bank"},
	"golang.org/x/time":              {"api"},
	"golang.org/x/term":              {"cmd/depositd"},
	"golang.org/x/crypto":            {"platform/people"},
	"golang.org/x/text":              {"bank", "platform/deposit"},
	"github.com/xuri/excelize":       {"api/sheet", "api/sheet/sheettest"},
	"github.com/prometheus":          {"cmd/depositd", "api"},
	"github.com/goccy/go-yaml":       {"api", "bank", "platform/incident", "platform/webhook", "platform/yamlfile"},
}

// pkg is what go list says of one package of ours.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// trespasses lists the imports that the floor plan forbids. Tests may use sqldbtest and what the tested package may.
func trespasses(p pkg) (forbidden []string) {
	here := strings.TrimPrefix(p.ImportPath, "depositd/")
	for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
		there, ours := strings.CutPrefix(path, "depositd/")
		switch {
		case path == p.ImportPath || there == "migrations/sqldb/sqldbtest" && !slices.Contains(p.Imports, path):
		case ours && !mayGo(here, there), !atHome(here, path):
			forbidden = append(forbidden, here+" → "+path)
		}
	}
	return forbidden
}

// mayGo: within a floor or down the stairs. The vocabulary, platform/deposit, goes nowhere and is there for all but the storage.
func mayGo(here, there string) bool {
	from, to := floor(here), floor(there)
	if from < 0 || to < 0 || here == "platform/deposit" || from < to {
		return false
	}
	return floors[from] != "bank" || floors[to] != "platform" || there == "platform/deposit"
}

func floor(path string) int {
	first, _, _ := strings.Cut(path, "/")
	return slices.Index(floors, first)
}

// atHome finds the longest prefix of the path that has homes.
func atHome(here, path string) bool {
	for prefix := path; prefix != "."; {
		if at, ok := homes[strings.TrimSuffix(prefix, "/")]; ok {
			return slices.Contains(at, here)
		}
		cut := strings.LastIndexByte(prefix, '/')
		if cut < 0 {
			return true
		}
		prefix = prefix[:cut]
	}
	return true
}

func TestFloorPlan(t *testing.T) {
	list, err := exec.Command("go", "list", "-tags", "nomsgpack", "-json=ImportPath,Imports,TestImports,XTestImports", "depositd/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := json.NewDecoder(bytes.NewReader(list))
	seen := 0
	for {
		var p pkg
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		for _, forbidden := range trespasses(p) {
			t.Error("the floor plan forbids ", forbidden)
		}
	}
	if seen < len(floors)-1 {
		t.Errorf("go list knows only %d packages of ours", seen)
	}
}

// TestFloorPlanForbids shows that the rules can fail.
func TestFloorPlanForbids(t *testing.T) {
	for _, c := range []struct {
		from, to  string
		forbidden bool
	}{
		{"depositd/bank", "depositd/platform", true},
		{"depositd/platform", "depositd/bank", true},
		{"depositd/bank", "depositd/platform/deposit", false},
		{"depositd/bank", "depositd/reconcile", true},
		{"depositd/reconcile", "depositd/bank", false},
		{"depositd/reconcile", "depositd/api", true},
		{"depositd/api", "depositd/cmd/depositd", true},
		{"depositd/platform/deposit", "depositd/migrations/sqldb", true},
		{"depositd/platform/deposit", "depositd/platform", true},
		{"depositd/migrations/sqldb", "depositd/platform/deposit", true},
		{"depositd/elsewhere", "depositd/platform", true},
		{"depositd/reconcile", "github.com/gin-gonic/gin", true},
		{"depositd/api", "github.com/gin-gonic/gin/binding", false},
		{"depositd/bank", "github.com/shopspring/decimal", true},
		{"depositd/platform/deposit", "golang.org/x/text/unicode/norm", false},
		{"depositd/reconcile", "golang.org/x/text/unicode/norm", true},
		{"depositd/platform/people", "golang.org/x/crypto/argon2", false},
		{"depositd/api", "golang.org/x/crypto/argon2", true},
		{"depositd/platform/people", "depositd/bank", true},
		{"depositd/bank", "database/sql/driver", true},
		{"depositd/bank", "github.com/robfig/cron/v3", true},
		{"depositd/bank", "strings", false},
	} {
		got := len(trespasses(pkg{ImportPath: c.from, Imports: []string{c.to}})) > 0
		if got != c.forbidden {
			t.Errorf("%s → %s: forbidden %v, want %v", c.from, c.to, got, c.forbidden)
		}
	}
}
