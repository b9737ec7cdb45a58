// Package migrations holds the schema: one text for both engines.
package migrations

import "embed"

// Files are the migrations in goose's form. Five words are replaced by what the engine says for them: $ID a key, $SEQ a
// counted key, $DAY a business day, $TIME an instant, $TABLE what follows a table's closing bracket.
//
//go:embed *.sql
var Files embed.FS
