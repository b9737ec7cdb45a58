// Command peers does what depositd does with DuckDB's SQL, for the benchmark to set beside it. It is a module of its own:
// DuckDB is no dependency of depositd.
//
//	peers check --bids bids.csv --statement statement.csv --out findings.csv
package main

import (
	"context"
	"database/sql"
	_ "embed" // the check's SQL
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2" // the engine
)

//go:embed check.sql
var checkSQL string

// threads is how many the engine may use: as many processors as the benchmark speaks of.
const threads = 2

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "check" {
		return errors.New("usage: peers check --bids FILE --statement FILE --out FILE")
	}
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	bids, statement, out := flags.String("bids", "", "bids"), flags.String("statement", "", "statement"), flags.String("out", "", "findings")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	db, err := sql.Open("duckdb", fmt.Sprint("?threads=", threads))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1) // temporary tables belong to a connection
	text := strings.NewReplacer("{bids}", quoted(*bids), "{statement}", quoted(*statement), "{out}", quoted(*out)).Replace(checkSQL)
	if _, err := db.ExecContext(ctx, text); err != nil {
		return err
	}
	return tell(ctx, db)
}

func quoted(name string) string { return "'" + strings.ReplaceAll(name, "'", "''") + "'" }

// tell prints the number of each verdict as `depositd check --json` does.
func tell(ctx context.Context, db *sql.DB) error {
	told := struct {
		Version string           `json:"version"`
		Written map[string]int64 `json:"written"`
	}{Written: map[string]int64{}}
	if err := db.QueryRowContext(ctx, "SELECT version()").Scan(&told.Version); err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, "SELECT verdict, count(*) FROM findings GROUP BY verdict")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var verdict string
		var n int64
		if err := rows.Scan(&verdict, &n); err != nil {
			return err
		}
		told.Written[verdict] = n
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(told)
}
