package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"depositd/api/worlds"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/people"
)

// printed is what is asked of each command that prints something of what is stored.
var printed = map[string][]string{
	"report":              {"--day 2026-06-09", "--day 2026-06-09 --json", "--day 2026-06-15", "--day 2026-06-15 --json", "--day 2026-06-16 --json", "--day 2026-06-17"},
	"nightly":             {"--day 2026-06-16", "--day 2026-06-17 --json"},
	"verify":              {"", "--json"},
	"pool status":         {"", "--json"},
	"pool forecast":       {"", "--json"},
	"pool reconcile":      {"", "--json"},
	"pool release":        {worlds.Parent + "-0003", worlds.Parent + "-0017", "s0-0", "none"},
	"refund status":       {"", "--json"},
	"refund due":          {"--days 366", "--days 366 --json", "--department 建设工程科"},
	"refund send":         {""},
	"refund stop":         {"--reason 核对"},
	"refund start":        {"--reason 核对"},
	"calendar load":       {"nowhere.json"},
	"config show":         {""},
	"calendar show":       {""},
	"config refund-rules": {""},
	"config banks":        {""},
	"doctor":              nil, // looks at the machine
	"watch":               {""},
	"incident list":       {"", "--json"},
	"incident show":       {"YJ-2026-0001"},
	"incident open":       nil, // what a person does with an incident is read by show
	"incident drill":      nil,
	"incident sign":       nil,
	"incident branch":     nil,
	"incident step":       nil,
	"incident note":       nil,
	"user list":           {""},
	"user first":          nil, // accounts and tokens have nothing to do with money
	"user add":            nil,
	"user role":           nil,
	"user disable":        nil,
	"user enable":         nil,
	"user reset":          nil,
	"token list":          {""},
	"token add":           nil,
	"token revoke":        nil,
	"webhook list":        {""},
	"key show":            {""},
	"key new":             nil, // master keys are files
	"key split":           nil,
	"key combine":         nil,
	"key rotate":          nil,
	"webhook resend":      nil, // sends again what was told before
	"webhook test":        nil,
	"config plan":         {""},
	"version":             nil,
	"department list":     {""},
	"department add":      nil, // tells the caller's own words
	"checkpoint":          nil, // seals what it counts, anew each time: TestCheckpointTellsNoCount looks into it
	"seal new":            nil, // these read no database
	"seal sign":           nil,
	"seal pin":            nil,
	"migrate":             nil,
	"serve":               nil, // what it answers is held by package api's test of two worlds
	"demo":                nil, // has a database of its own
	"check":               nil, // reads what it was given, and nothing stored
	"bench":               nil, // has databases of its own
	"import lots":         nil, // these tell what the caller's own file came to
	"import bids":         nil,
	"import notices":      nil,
	"import statement":    nil,
	"pool load":           nil,
}

// commands are those of the program, as they are typed.
func commands(t *testing.T) (all []string) {
	t.Helper()
	parser, err := kong.New(&program{}, kong.Vars{"db_default": sqldb.DefaultURL, "db_forms": sqldb.Forms, "bench_sections": benchSectionNames(), "schemes": schemeNames(),
		"person_roles": people.Join(people.OfPersons), "token_scopes": people.Join(people.Scopes)})
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(false) {
		var words []string
		for n := leaf; n != nil && n.Type == kong.CommandNode; n = n.Parent {
			words = append([]string{n.Name}, words...)
		}
		all = append(all, strings.Join(words, " "))
	}
	return all
}

// Whoever has a shell on the machine learns no more before an opening than anybody: each command prints the same in worlds that differ
// in who bids and pays. A new command stands in the list, or fails.
func TestTwoWorldsOnTheCommandLine(t *testing.T) {
	var lines []string
	for _, command := range commands(t) {
		asked, known := printed[command]
		if !known {
			t.Errorf("depositd %s: the two worlds are not asked for it; add it to printed", command)
		}
		for _, rest := range asked {
			lines = append(lines, strings.TrimSpace(command+" "+rest))
		}
	}
	folder := sqldbtest.InMemory(t)
	banks := filepath.Join(folder, "banks.yaml")
	if err := os.WriteFile(banks, []byte(worlds.Banks), 0o600); err != nil {
		t.Fatal(err)
	}
	base := worlds.Open(t, filepath.Join(folder, "base.db"))
	base.Public()
	if err := base.DB.Close(); err != nil {
		t.Fatal(err)
	}
	master := sqldbtest.MasterFile(t)
	var first []string
	seeds := uint64(4)
	if sqldbtest.UnderRace {
		seeds = 2 // make test asks all once more without
	}
	for seed := range seeds {
		file := filepath.Join(folder, fmt.Sprint(seed, ".db"))
		w := base.Copy(t, filepath.Join(folder, "base.db"), file)
		w.Secrets(seed)
		env := map[string]string{"DEPOSITD_DB": sqldb.FileURL(file), "DEPOSITD_BANKS": banks, "DEPOSITD_MASTER_KEY_FILE": master, "USER": "tester"}
		var said []string
		for _, line := range lines {
			var out, complaints strings.Builder
			code := runAt(t.Context(), strings.Fields(line), environmentOf(env), w.Now, &out, &complaints)
			said = append(said, fmt.Sprintf("%d\n%s%s", code, out.String(), strings.ReplaceAll(complaints.String(), file, "FILE")))
		}
		if seed == 0 {
			first = said
			continue
		}
		for i, text := range said {
			if mask(t, text, file) != mask(t, first[i], filepath.Join(folder, "0.db")) {
				t.Errorf("depositd %s tells world %d apart:\n%s\n--- the other:\n%s", lines[i], seed, text, first[i])
			}
		}
	}
}

// mask takes out of a print what is declassified, and the file's own name.
func mask(t *testing.T, text, file string) string {
	t.Helper()
	list, err := os.ReadFile("../../testdata/secrecy/declassified.txt")
	if err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, file, "FILE")
	for line := range strings.Lines(string(list)) {
		pattern, _, _ := strings.Cut(strings.TrimSpace(line), "   ")
		if pattern == "" || strings.HasPrefix(pattern, "#") || strings.HasPrefix(pattern, "GET ") || strings.HasPrefix(pattern, "POST ") {
			continue
		}
		text = regexp.MustCompile(strings.TrimSpace(pattern)).ReplaceAllString(text, "…")
	}
	return text
}
